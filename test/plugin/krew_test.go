// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"archive/tar"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/yaml"
)

// krewManifest is as much of krew's manifest as an installation goes by.
type krewManifest struct {
	APIVersion, Kind string
	Metadata         struct{ Name string }
	Spec             struct {
		Version, Homepage, ShortDescription, Description string
		Platforms                                        []struct {
			Selector         struct{ MatchLabels map[string]string }
			URI, SHA256, Bin string
			Files            []struct{ From, To string }
		}
	}
}

var _ = Describe("The archive for krew", func() {
	It("is what its manifest says, and holds the plugin", func(ctx SpecContext) {
		folder := GinkgoT().TempDir()
		build := exec.CommandContext(ctx, "../../hack/krew", "v0.1.0-test", folder, runtime.GOOS+"/"+runtime.GOARCH)
		build.Stdout, build.Stderr = GinkgoWriter, GinkgoWriter
		Expect(build.Run()).To(Succeed())

		content, err := os.ReadFile(filepath.Join(folder, "license.yaml"))
		Expect(err).NotTo(HaveOccurred())
		var manifest krewManifest
		Expect(yaml.UnmarshalStrict(content, &map[string]any{})).To(Succeed())
		Expect(yaml.Unmarshal(content, &manifest)).To(Succeed())
		Expect(manifest.APIVersion).To(Equal("krew.googlecontainertools.github.com/v1alpha2"))
		Expect(manifest.Kind).To(Equal("Plugin"))
		Expect(manifest.Metadata.Name).To(Equal("license"), "kubectl finds it by kubectl-license")
		Expect(manifest.Spec.Version).To(Equal("v0.1.0-test"))
		Expect(len(manifest.Spec.ShortDescription)).To(BeNumerically("<=", 50), "krew's guide asks for that")
		Expect(manifest.Spec.Platforms).To(HaveLen(1))
		platform := manifest.Spec.Platforms[0]
		Expect(platform.Selector.MatchLabels).To(Equal(map[string]string{"os": runtime.GOOS, "arch": runtime.GOARCH}))

		archive, err := os.Open(filepath.Join(folder, path.Base(platform.URI)))
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(archive.Close)
		sum := sha256.New()
		_, err = io.Copy(sum, archive)
		Expect(err).NotTo(HaveOccurred())
		Expect(hex.EncodeToString(sum.Sum(nil))).To(Equal(platform.SHA256))
		_, err = archive.Seek(0, io.SeekStart)
		Expect(err).NotTo(HaveOccurred())
		unzipped, err := gzip.NewReader(archive)
		Expect(err).NotTo(HaveOccurred())
		var names []string
		for entries := tar.NewReader(unzipped); ; {
			entry, err := entries.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			Expect(err).NotTo(HaveOccurred())
			names = append(names, entry.Name)
			if entry.Name == platform.Bin {
				binary, err := os.OpenFile(filepath.Join(folder, platform.Bin), os.O_CREATE|os.O_WRONLY,
					entry.FileInfo().Mode())
				Expect(err).NotTo(HaveOccurred())
				_, err = io.Copy(binary, entries)
				Expect(err).NotTo(HaveOccurred())
				Expect(binary.Close()).To(Succeed())
			}
		}
		var files []string
		for _, file := range platform.Files {
			files = append(files, file.From)
		}
		Expect(names).To(Equal(files))
		said, err := exec.CommandContext(ctx, filepath.Join(folder, platform.Bin), "--version").Output()
		Expect(err).NotTo(HaveOccurred())
		Expect(string(said)).To(HavePrefix("kubectl-license v0.1.0-test "))
	})

	It("is made for releases alone", func(ctx SpecContext) {
		said, err := exec.CommandContext(ctx, "../../hack/krew", "main", GinkgoT().TempDir()).CombinedOutput()
		Expect(err).To(HaveOccurred())
		Expect(string(said)).To(Equal("krew: \"main\" is no version of a release: make krew VERSION=v1.2.3\n"))
	})
})
