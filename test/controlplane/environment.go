// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controlplane

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// assetsVariable names the folder of the binaries, for envtest as for us.
const assetsVariable = "KUBEBUILDER_ASSETS"

func findBinaries() (string, error) {
	const advice = "run: export " + assetsVariable + "=$(hack/envtest-assets)"
	dir := os.Getenv(assetsVariable)
	if dir == "" {
		return "", fmt.Errorf("no kube-apiserver and etcd to run, since %s is not set; %s", assetsVariable, advice)
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	var missing []string
	for _, name := range []string{"kube-apiserver", "etcd", "kubectl"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || !info.Mode().IsRegular() {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		return "", fmt.Errorf("no %s in %s=%s; %s", strings.Join(missing, ", "), assetsVariable, dir, advice)
	}
	return dir, nil
}

const modulePath = "github.com/license-operator/license-operator"

// moduleRoot is the folder of our go.mod, looked for from the working folder upwards: that of the package under go
// test, any within the module under go run.
func moduleRoot() (string, error) {
	start, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for dir := start; ; dir = filepath.Dir(dir) {
		content, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		switch {
		case err == nil && strings.HasPrefix(string(content), "module "+modulePath+"\n"):
			return dir, nil
		case err != nil && !errors.Is(err, os.ErrNotExist):
			return "", err
		case dir == filepath.Dir(dir):
			return "", fmt.Errorf("found no go.mod of %s in %s or above: run this from a checkout", modulePath, start)
		}
	}
}

// releasePorts removes the files by which envtest reserves ports in the user's cache for two minutes, once the control
// plane is down and they are free.
func releasePorts(dir string) error {
	cache, err := os.UserCacheDir()
	if err != nil {
		return nil //nolint:nilerr // envtest has put them into the temporary folder then, which does no harm
	}
	files, err := filepath.Glob(argumentsFile(filepath.Join(dir, "*")))
	if err != nil {
		return err
	}
	for _, file := range files {
		arguments, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		for _, port := range ports(string(arguments)) {
			// Another control plane may be looking for outdated ones right now: it is enough that one removes it.
			_ = os.Remove(filepath.Join(cache, "kubebuilder-envtest", "port-"+port))
		}
	}
	return nil
}

// listenArgument matches the arguments of etcd and kube-apiserver that tell their own ports.
var listenArgument = regexp.MustCompile(`(?m)^--(?:listen-(?:client|peer)-urls=\S*:|secure-port=)(\d+)$`)

func ports(arguments string) []string {
	var found []string
	for _, match := range listenArgument.FindAllStringSubmatch(arguments, -1) {
		found = append(found, match[1])
	}
	return found
}
