// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/license-operator/license-operator/internal/token"
)

func newTerminal(t *testing.T) *terminal { return newTerminalOf(t, run) }

// The tests of this file are sessions: whole commands with all of their output, compared with golden files.

func TestMisuse(t *testing.T) {
	golden := goldens(t)
	e := newTerminal(t)
	for _, args := range [][]string{
		{"inpsect"},
		{"ca", "crate"},
		{"version", "1"},
		{"--no-such-flag"},
		{"ca", "create", "here"},
		{"ca", "create", "--dir", "x"},
		{"signer", "create"},
		{"issue", "--customer", ""},
		{"inspect"},
		{"inspect", "a", "b"},
		{"inspect", "a", "--product", "p", "--trust-anchor", "t"},
		{"inspect", "a", "--cluster", "u"},
		{"inspect", "a", "-o", "table"},
		{"inspect", "a", "--at", "noon"},
		{"clock", "reset"},
		{"clock", "reset", "acme-mesh", "--timeout", "0s", "--server", "http://127.0.0.1:1"},
		{"clock", "reset", "acme-mesh", "--kubeconfig", "missing"},
		{"pause"},
		{"pause", "acme-mesh", "acme-db"},
		{"pause", "acme-mesh", "--kubeconfig", "missing"},
		{"report", "verfy"},
		{"report", "-o", "yaml"},
		{"report", "-o", ""},
		{"report", "--product", ""},
		{"report", "--namespace", ""},
		{"report", "--timeout", "0s"},
		{"report", "--kubeconfig", "missing"},
		{"report", "verify"},
		{"report", "verify", "a", "b"},
		{"resume"},
		{"resume", "acme-mesh", "--for", "1d"},
		{"apply"},
		{"apply", "a", "b"},
		{"apply", "-", "--server", "http://127.0.0.1:1"},
		{"apply", "a", "--product", "Acme Mesh", "--server", "http://127.0.0.1:1"},
		{"apply", "a", "--name", "x/y", "--server", "http://127.0.0.1:1"},
		{"apply", "a", "--dry-run", "yes", "--server", "http://127.0.0.1:1"},
		{"apply", "a", "--dry-run", "-o", "json"},
		{"apply", "a", "-o", "wide", "--server", "http://127.0.0.1:1"},
		{"apply", "a", "--timeout", "0s", "--server", "http://127.0.0.1:1"},
		{"apply", "-f", "a"},
		{"inspect", "--filename=a"},
		{"status", "-f", "a"},
		{"status", "-n", "default"},
		{"keys", "-A"},
		{"explain", "acme-mesh", "--namespace", "default"},
		{"apply", "a", "--kubeconfig", "missing"},
		{"status", "acme-mesh", "acme-db"},
		{"status", "-o", "table", "--server", "http://127.0.0.1:1"},
		{"status", "--watch", "--kubeconfig", "missing"},
		{"keys", "acme-mesh", "acme-db"},
		{"keys", "-o", "table", "--server", "http://127.0.0.1:1"},
		{"keys", "--kubeconfig", "missing"},
		{"request"},
		{"request", "acme-mesh", "-o", "wide", "--server", "http://127.0.0.1:1"},
		{"request", "acme-mesh", "--kubeconfig", "missing"},
		{"explain"},
		{"explain", "acme-mesh", "acme-db"},
		{"explain", "acme-mesh", "-o", "csv", "--server", "http://127.0.0.1:1"},
		{"explain", "acme-mesh", "--kubeconfig", "missing"},
		{"doctor", "acme-mesh"},
		{"doctor", "-o", "wide"},
		{"doctor", "-n", ""},
		{"doctor", "--kubeconfig", "missing"},
		{"report", "--token", "", "--server", "https://127.0.0.1:1"},
		{"report", "--token", "x", "--server", "http://192.0.2.1"},
		{"simulate", "acme-mesh", "acme-db"},
		{"simulate", "--at", "noon"},
		{"simulate", "--at", "2026-11-22T09:59:59Z", "--server", "http://127.0.0.1:1"},
		{"simulate", "-o", "table", "--server", "http://127.0.0.1:1"},
		{"simulate", "--kubeconfig", "missing"},
	} {
		if got := e.show(args...); got.code != exitFailed {
			t.Errorf("%q ended with %d", args, got.code)
		}
	}
	e.compare(golden, "misuse")
}

func TestAuthority(t *testing.T) {
	golden := goldens(t)
	e := newTerminal(t)
	e.show("ca", "create", "--dir", "acme-ca", "--vendor", "Acme")
	e.note("Nothing is overwritten.")
	before := e.read("acme-ca/ca.key")
	e.show("ca", "create", "--dir", "acme-ca", "--vendor", "Acme")
	e.note("Not even a part of it.")
	if err := os.MkdirAll("half", 0o700); err != nil {
		t.Fatal(err)
	}
	e.write("half/signer.crt", "precious")
	e.show("ca", "create", "--dir", "half", "--vendor", "Acme")
	e.note("Names of vendors are bounded.")
	e.show("ca", "create", "--dir", "x", "--vendor", strings.Repeat("x", 49))
	e.show("ca", "create", "--dir", "x", "--vendor", "Ac\tme")
	e.show("ca", "create", "--dir", "half/signer.crt/x", "--vendor", "Acme")
	e.note("A folder's name that a shell would take apart.")
	e.show("ca", "create", "--dir", "it's mine", "--vendor", "Acme & Søns")
	e.note("Another signer, three years later.")
	e.now = e.now.AddDate(3, 0, 0)
	e.show("signer", "create", "--ca", "acme-ca", "--out", "deep/er/second")
	e.show("signer", "create", "--ca", "acme-ca", "--out", "deep/er/second")
	e.show("signer", "create", "--ca", "acme-ca", "--out", "third", "--name", "Build machine")
	e.show("signer", "create", "--ca", "nowhere", "--out", "fourth")
	e.show("signer", "create", "--ca", "acme-ca", "--out", "fourth", "--name", "\x1b[31m")
	e.note("A certificate of one authority with the key of another.")
	e.write("acme-ca/ca.crt", e.read("it's mine/ca.crt"))
	e.show("signer", "create", "--ca", "acme-ca", "--out", "fourth")
	e.compare(golden, "authority")

	if e.read("acme-ca/ca.key") != before || e.read("half/signer.crt") != "precious" {
		t.Error("something was overwritten")
	}
	for _, absent := range []string{"x", "fourth", "half/ca.crt"} {
		if _, err := os.Lstat(absent); err == nil {
			t.Errorf("%s was left behind", absent)
		}
	}
}

func TestAuthorityMatchesItsKeys(t *testing.T) {
	e := newTerminal(t)
	e.must("ca", "create", "--dir", "ca", "--vendor", "Acme")
	e.must("signer", "create", "--ca", "ca", "--out", "second", "--name", "Build machine")
	first, err := token.ParseSigner([]byte(e.read("ca/signer.crt")), []byte(e.read("ca/signer.key")))
	if err != nil {
		t.Fatal(err)
	}
	second, err := token.ParseSigner([]byte(e.read("second/signer.crt")), []byte(e.read("second/signer.key")))
	if err != nil {
		t.Fatal(err)
	}
	chain := first.Chain()
	if got := chain[0].Subject.String(); got != "CN=License Signer 2026-11-22,O=Acme" {
		t.Errorf("the first signer is %s", got)
	}
	if got := second.Chain()[0].Subject.String(); got != "CN=Build machine,O=Acme" {
		t.Errorf("the second signer is %s", got)
	}
	if want := present.AddDate(10, 0, 0); !chain[0].NotAfter.Equal(want) {
		t.Errorf("the signer ends at %s, not %s", chain[0].NotAfter, want)
	}
	if want := present.AddDate(20, 0, 0); !chain[1].NotAfter.Equal(want) {
		t.Errorf("the root ends at %s, not %s", chain[1].NotAfter, want)
	}
}

func TestIssue(t *testing.T) {
	golden := goldens(t)
	e := newTerminal(t)
	e.must("ca", "create", "--dir", "acme-ca", "--vendor", "Acme")
	// issue records a command with the flags that are the same in all of them left out of sight.
	issue := func(args ...string) output {
		t.Helper()
		return e.show(append([]string{"issue", "--signer", "acme-ca", "--product", "acme-mesh", "--customer",
			"Example GmbH"}, args...)...)
	}
	issue("--valid-for", "365d", "--nodes", "100")
	issue("--expires", "2027-12-31", "-o", "token")
	issue("--expires", "2027-12-31T12:00:00+02:00", "--not-before", "2027-01-01", "--grace", "0s", "--name", "renewal")
	e.note("IDs of one's own.")
	issue("--valid-for", "1d12h", "--id", "2026-0042")
	issue("--valid-for", "1d12h", "--id", "acme-mesh-2026.0042")
	issue("--valid-for", "1d12h", "--id", "Nº 42/2026")
	issue("--valid-for", "1d12h", "--id", "\u202eevil")
	e.note("Refused: terms.")
	issue()
	issue("--valid-for", "365d", "--expires", "2027-12-31")
	issue("--valid-for", "0d")
	issue("--valid-for", "1w")
	issue("--expires", "tomorrow")
	issue("--expires", "2027-12-31T12:00:00.5Z")
	issue("--expires", "2026-11-21")
	issue("--expires", "2026-11-22T10:00:00Z")
	issue("--expires", "2027-12-31", "--not-before", "2028-01-01")
	issue("--valid-for", "365d", "--grace", "3651d")
	issue("--valid-for", "3650d")
	issue("--expires", "2036-10-24")
	e.note("Refused: names, limits, features.")
	issue("--valid-for", "365d", "--nodes", "3", "--limit", "nodes=4")
	issue("--valid-for", "365d", "--limit", "nodes=4", "--nodes", "3")
	issue("--valid-for", "365d", "--nodes", "-1")
	issue("--valid-for", "365d", "--cores", "2.5")
	issue("--valid-for", "365d", "--limit", "nodes")
	issue("--valid-for", "365d", "--limit", "a b=3")
	issue("--valid-for", "365d", "--feature", "a", "--feature", "a")
	issue("--valid-for", "365d", "--feature", "")
	issue("--valid-for", "365d", "--cluster", "")
	issue("--valid-for", "365d", "--id", strings.Repeat("x", 254))
	issue("--valid-for", "365d", "--name", "Not_A_Name")
	issue("--valid-for", "365d", "--name", "x", "-o", "token")
	issue("--valid-for", "365d", "-o", "json")
	e.show("issue", "--signer", "acme-ca", "--product", "Acme Mesh", "--customer", "Example GmbH", "--valid-for", "1d")
	e.show("issue", "--signer", "acme-ca", "--product", "acme-mesh", "--customer", "\x1b[2J", "--valid-for", "1d")
	e.note("Refused: signers.")
	e.show("issue", "--signer", "nowhere", "--product", "acme-mesh", "--customer", "Example GmbH", "--valid-for", "1d")
	if err := os.Chmod("acme-ca/signer.key", 0o644); err != nil {
		t.Fatal(err)
	}
	issue("--valid-for", "1d", "--id", "readable")
	e.write("acme-ca/signer.key", e.read("acme-ca/ca.key"))
	issue("--valid-for", "1d")
	e.compare(golden, "issue")
}

func TestInspect(t *testing.T) {
	golden := goldens(t)
	e := newTerminal(t)
	e.must("ca", "create", "--dir", "acme-ca", "--vendor", "Acme")
	e.must("ca", "create", "--dir", "other-ca", "--vendor", "Other")
	anchors := e.read("acme-ca/ca.crt")
	issue := func(args ...string) string {
		t.Helper()
		return e.must(append([]string{
			"issue", "--signer", "acme-ca", "--product", "acme-mesh", "--customer", "Example GmbH", "--expires",
			"2027-12-31", "--id", "2026-0042",
		}, args...)...)
	}
	e.write("key.yaml", issue("--nodes", "100", "--limit", "gateways=5", "--feature", "federation", "--feature",
		"support", "--cluster", "uid-1", "--cluster", "uid-2"))
	e.write("key.jwt", issue("-o", "token"))
	e.write("elsewhere.yaml", issue("--audience", "acme-mesh-enterprise", "--not-before", "2027-01-01"))
	e.write("product.yaml", product("acme-mesh", anchors, ""))
	e.write("revoked.yaml", product("acme-mesh", anchors, "  revocations:\n  - licenseID: 2026-0042\n"))
	e.write("broken.yaml", product("acme-mesh", "nonsense\n", ""))
	e.write("products.yaml",
		product("acme-db", e.read("other-ca/ca.crt"), "")+"---\n"+product("acme-mesh", anchors, ""))
	e.now = present.AddDate(0, 0, 3).Add(90 * time.Minute)

	e.show("inspect", "key.yaml")
	e.show("inspect", "key.yaml", "--trust-anchor", "acme-ca/ca.crt")
	e.show("inspect", "key.yaml", "--product", "product.yaml")
	e.show("inspect", "key.yaml", "--product", "products.yaml", "--cluster", "uid-2", "-o", "json")
	e.show("inspect", "key.jwt", "--product", "product.yaml", "-o", "yaml")
	e.feed(e.read("key.jwt"), "inspect", "-")

	e.note("Its life.")
	e.show("inspect", "elsewhere.yaml", "--trust-anchor", "acme-ca/ca.crt")
	e.show("inspect", "key.jwt", "--product", "product.yaml", "--at", "2026-11-22T09:59:59Z")
	e.show("inspect", "key.jwt", "--product", "product.yaml", "--at", "2026-11-22T10:00:00Z")
	e.show("inspect", "key.jwt", "--product", "product.yaml", "--at", "2027-12-31T23:59:59Z")
	e.show("inspect", "key.jwt", "--product", "product.yaml", "--at", "2028-01-01")
	e.show("inspect", "key.jwt", "--product", "product.yaml", "--at", "2028-01-31")

	e.note("--require-valid-for.")
	e.show("inspect", "key.jwt", "--product", "product.yaml", "--require-valid-for", "60d", "--at", "2027-11-02")
	e.show("inspect", "key.jwt", "--product", "product.yaml", "--require-valid-for", "60d", "--at",
		"2027-11-02T00:00:01Z")
	e.show("inspect", "key.jwt", "--product", "product.yaml", "--require-valid-for", "1s", "--at", "2028-01-01")

	e.note("Keys that do not verify.")
	e.show("inspect", "key.yaml", "--trust-anchor", "other-ca/ca.crt")
	e.show("inspect", "key.yaml", "--product", "revoked.yaml", "-o", "json")
	e.show("inspect", "key.yaml", "--product", "product.yaml", "--cluster", "uid-3")
	e.show("inspect", "elsewhere.yaml", "--product", "product.yaml")
	e.write("forged.yaml", forged(t, e.read("key.yaml")))
	e.show("inspect", "forged.yaml", "--product", "product.yaml")
	e.show("inspect", "forged.yaml")
	e.write("incomplete.jwt", unsigned(`{"sub":"x"}`))
	e.show("inspect", "incomplete.jwt")
	e.show("inspect", "incomplete.jwt", "--product", "product.yaml")

	e.note("Files that are no keys.")
	e.write("truncated.jwt", e.read("key.jwt")[:400])
	e.write("empty", "")
	e.write("huge", strings.Repeat("A", maxFileBytes+1))
	e.write("long.jwt", "eyJ"+strings.Repeat("A", 20000)+".e30.AA")
	e.write("calico.yaml", "apiVersion: projectcalico.org/v3\nkind: LicenseKey\nmetadata:\n  name: default\nspec:\n "+
		" token: x\n")
	e.write("ref.yaml", "apiVersion: license-operator.io/v1alpha1\nkind: LicenseKey\nmetadata:\n  name: k\nspec:\n  "+
		"productName: acme-mesh\n"+
		"  tokenSecretRef:\n    name: acme-mesh\n    key: license.jwt\n")
	e.write("utf16.txt", "\xff\xfee\x00y\x00J\x00")
	e.write("secret.yaml",
		"apiVersion: v1\nkind: Secret\nmetadata:\n  name: two\nstringData:\n  b: "+e.read("key.jwt")+"  a: "+
			e.read("key.jwt"))
	for _, file := range []string{
		"truncated.jwt", "empty", "huge", "long.jwt", "calico.yaml", "ref.yaml", "utf16.txt", "secret.yaml",
		"product.yaml", "acme-ca/ca.key",
	} {
		if got := e.show("inspect", file); got.code != exitUnreadable {
			t.Errorf("%s ended with %d", file, got.code)
		}
	}

	e.note("Mistakes with files.")
	e.show("inspect", "missing.yaml")
	e.show("inspect", "acme-ca")
	e.show("inspect", "key.yaml", "--product", "missing.yaml")
	e.show("inspect", "key.yaml", "--product", "key.yaml")
	e.show("inspect", "key.yaml", "--product", "broken.yaml")
	e.show("inspect", "key.jwt", "--product", "products.yaml")
	e.show("inspect", "key.yaml", "--trust-anchor", "acme-ca/ca.key")
	e.write("another.yaml", strings.ReplaceAll(e.read("product.yaml"), "acme-mesh", "acme-db"))
	e.show("inspect", "key.yaml", "--product", "another.yaml")
	e.compare(golden, "inspect")
}

func TestExitCodesOfInspect(t *testing.T) {
	e := newTerminal(t)
	e.must("ca", "create", "--dir", "ca", "--vendor", "Acme")
	e.write("key", e.must("issue", "--signer", "ca", "--product", "p", "--customer", "c", "--expires", "2027-12-31",
		"-o", "token"))
	e.write("no-key", "hello")
	for _, test := range []struct {
		args []string
		code int
	}{
		{[]string{"key"}, 0},
		{[]string{"key", "--trust-anchor", "ca/ca.crt"}, 0},
		{[]string{"key", "--trust-anchor", "ca/ca.crt", "--at", "2028-01-15"}, 0}, // in grace
		{[]string{"missing"}, 1},
		{[]string{"key", "--nonsense"}, 1},
		{[]string{"no-key"}, 2},
		{[]string{"key", "--trust-anchor", "ca/signer.crt"}, 1}, // no CA
		{[]string{"key", "--trust-anchor", "ca/ca.crt", "--at", "2025-01-01"}, 4},
		{[]string{"key", "--trust-anchor", "ca/ca.crt", "--at", "2028-03-01"}, 4},
		{[]string{"key", "--at", "2028-03-01"}, 4},
		{[]string{"key", "--trust-anchor", "ca/ca.crt", "--require-valid-for", "404d"}, 0},
		{[]string{"key", "--trust-anchor", "ca/ca.crt", "--require-valid-for", "405d"}, 5},
		{[]string{"key", "--trust-anchor", "ca/ca.crt", "--require-valid-for", "1d", "--at", "2028-03-01"}, 4},
	} {
		if got := e.run("", append([]string{"inspect"}, test.args...)...); got.code != test.code {
			t.Errorf("%q ended with %d, not %d: %s", test.args, got.code, test.code, got.stderr)
		}
	}
}
