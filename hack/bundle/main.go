// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Command bundle makes the bundle by which the Operator Lifecycle Manager installs the operator, of what kustomize
// builds from config/manifests, and validates bundles. make bundle runs it.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
)

const usage = `Usage:
  bundle generate --version VERSION --channels CHANNELS [FLAG…] FOLDER < OBJECTS   writes FOLDER and FOLDER.Dockerfile
  bundle validate FOLDER
`

func main() {
	if err := run(os.Args[1:], os.Stdin, os.Stderr); err != nil {
		fmt.Fprintf(os.Stderr, "bundle: %v\n", err)
		os.Exit(1)
	}
}

func run(arguments []string, objects io.Reader, output io.Writer) error {
	command := ""
	if len(arguments) > 0 {
		command, arguments = arguments[0], arguments[1:]
	}
	flags := flag.NewFlagSet("bundle "+command, flag.ContinueOnError)
	flags.SetOutput(output)
	flags.Usage = func() {
		fmt.Fprint(output, usage)
		flags.PrintDefaults()
	}
	switch command {
	case "generate":
		return runGenerate(flags, arguments, objects)
	case "validate":
		if err := flags.Parse(arguments); err != nil {
			return err
		}
		if flags.NArg() != 1 {
			return errors.New("validate takes one folder")
		}
		return validate(flags.Arg(0))
	default:
		return fmt.Errorf("there is no command %q\n%s", command, usage)
	}
}

func runGenerate(flags *flag.FlagSet, arguments []string, input io.Reader) error {
	var s settings
	flags.StringVar(&s.version, "version", "", "the version of the operator")
	channels := flags.String("channels", "", "the channels that the bundle belongs to, with commas between them")
	flags.StringVar(&s.defaultChannel, "default-channel", "",
		"the channel of Subscriptions that name none (default: the first)")
	flags.StringVar(&s.replaces, "replaces", "", "the version that this one takes the place of")
	skips := flags.String("skips", "", "further versions that it takes the place of, with commas between them")
	flags.StringVar(&s.skipRange, "skip-range", "", "a range of such versions, as in '>=0.1.0 <0.2.0'")
	flags.StringVar(&s.createdAt, "created-at", "", "when the release was made, for OperatorHub")
	icon := flags.String("icon", "", "an SVG")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	if flags.NArg() != 1 {
		return errors.New("generate takes one folder")
	}
	s.channels, s.skips = list(*channels), list(*skips)
	if *icon != "" {
		var err error
		if s.icon, err = os.ReadFile(*icon); err != nil {
			return err
		}
	}
	objects, err := read(input)
	if err != nil {
		return err
	}
	made, err := generate(objects, &s)
	if err != nil {
		return err
	}
	return write(flags.Arg(0), made)
}

// list takes a list apart at commas and spaces.
func list(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' })
}

// read takes what kustomize builds.
func read(input io.Reader) ([]*unstructured.Unstructured, error) {
	var objects []*unstructured.Unstructured
	for documents := yaml.NewYAMLOrJSONDecoder(input, 4096); ; {
		object := &unstructured.Unstructured{}
		err := documents.Decode(&object.Object)
		if errors.Is(err, io.EOF) {
			return objects, nil
		}
		if err != nil {
			return nil, fmt.Errorf("what kustomize built cannot be read: %w", err)
		}
		if len(object.Object) > 0 {
			objects = append(objects, object)
		}
	}
}

// parts are the folders of a bundle, all of them its own.
var parts = []string{"manifests", "metadata", "tests"}

// write puts a bundle into a folder in place of the one that is there, and never in place of anything else.
func write(folder string, made *bundle) error {
	entries, err := os.ReadDir(folder)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if _, err := os.Stat(filepath.Join(folder, "metadata", "annotations.yaml")); len(entries) > 0 && err != nil {
		return fmt.Errorf("%s has something in it, and is no bundle: name another folder (BUNDLE_DIR)", folder)
	}
	for _, part := range parts {
		if err := os.RemoveAll(filepath.Join(folder, part)); err != nil {
			return err
		}
	}
	for path, content := range made.files {
		if err := writeFile(filepath.Join(folder, filepath.FromSlash(path)), content); err != nil {
			return err
		}
	}
	return writeFile(filepath.Clean(folder)+".Dockerfile", made.dockerfile)
}

func writeFile(path string, content []byte) error {
	err := os.MkdirAll(filepath.Dir(path), 0o755) //nolint:gosec // for everybody to read, as git has it
	if err != nil {
		return err
	}
	return os.WriteFile(path, content, 0o644) //nolint:gosec // for everybody to read, as git has it
}
