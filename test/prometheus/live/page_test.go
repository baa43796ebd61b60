// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package live

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// fences are the code blocks of docs/monitoring.md in one language.
func fences(language string) []string {
	GinkgoHelper()
	page, err := os.ReadFile(filepath.Join(root, "docs", "monitoring.md"))
	Expect(err).NotTo(HaveOccurred())
	found := blocks(string(page), language)
	Expect(found).NotTo(BeEmpty())
	return found
}

// blocks are the code blocks of a page in one language; one in a list is indented.
func blocks(page, language string) []string {
	var found []string
	for _, match := range regexp.MustCompile("(?ms)^ *```"+language+"\n(.*?)^ *```$").FindAllStringSubmatch(page, -1) {
		found = append(found, match[1])
	}
	return found
}

// fence is the one block that has this text.
func fence(language, text string) string {
	GinkgoHelper()
	var found []string
	for _, block := range fences(language) {
		if strings.Contains(block, text) {
			found = append(found, block)
		}
	}
	Expect(found).To(HaveLen(1), "blocks of the page with %q", text)
	return found[0]
}

// documents are the YAML documents of a block.
func documents(block string) []map[string]any {
	GinkgoHelper()
	var all []map[string]any
	for _, document := range bytes.Split([]byte(block), []byte("\n---\n")) {
		var content map[string]any
		Expect(yaml.UnmarshalStrict(document, &content)).To(Succeed(), "%s", document)
		Expect(content).NotTo(BeEmpty())
		all = append(all, content)
	}
	return all
}

func objects(block string) []*unstructured.Unstructured {
	GinkgoHelper()
	var all []*unstructured.Unstructured
	for _, content := range documents(block) {
		all = append(all, &unstructured.Unstructured{Object: content})
	}
	return all
}

func writeYAML(path string, content any) {
	GinkgoHelper()
	text, err := yaml.Marshal(content)
	Expect(err).NotTo(HaveOccurred())
	Expect(os.WriteFile(path, text, 0o600)).To(Succeed())
}
