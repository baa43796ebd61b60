// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"io/fs"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/cli/clitest"
	"github.com/license-operator/license-operator/internal/cli/command"
	"github.com/license-operator/license-operator/internal/cli/files"
	"github.com/license-operator/license-operator/internal/license"
	licensereport "github.com/license-operator/license-operator/internal/report"
	"github.com/license-operator/license-operator/internal/text"
	"github.com/license-operator/license-operator/internal/token"
)

func newTerminal(t *testing.T) *clitest.Terminal { return clitest.NewTerminal(t, Run) }

// The tests of this file are sessions: whole commands with all of their output, compared with golden files.

func TestMisuse(t *testing.T) {
	golden := clitest.Goldens(t)
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
		if got := e.Show(args...); got.Code != command.ExitFailed {
			t.Errorf("%q ended with %d", args, got.Code)
		}
	}
	e.Compare(golden, "misuse")
}

func TestAuthority(t *testing.T) {
	golden := clitest.Goldens(t)
	e := newTerminal(t)
	e.Show("ca", "create", "--dir", "acme-ca", "--vendor", "Acme")
	e.Note("Files are not overwritten.")
	before := e.Read("acme-ca/ca.key")
	e.Show("ca", "create", "--dir", "acme-ca", "--vendor", "Acme")
	e.Note("Not even one of them.")
	if err := os.MkdirAll("half", 0o700); err != nil {
		t.Fatal(err)
	}
	e.Write("half/signer.crt", "precious")
	e.Show("ca", "create", "--dir", "half", "--vendor", "Acme")
	e.Note("Names of vendors have a limit.")
	e.Show("ca", "create", "--dir", "x", "--vendor", strings.Repeat("x", 49))
	e.Show("ca", "create", "--dir", "x", "--vendor", "Ac\tme")
	e.Show("ca", "create", "--dir", "half/signer.crt/x", "--vendor", "Acme")
	e.Note("A folder's name that must be quoted in a shell.")
	e.Show("ca", "create", "--dir", "it's mine", "--vendor", "Acme & Søns")
	e.Note("Another signer, three years later.")
	e.Now = e.Now.AddDate(3, 0, 0)
	e.Show("signer", "create", "--ca", "acme-ca", "--out", "deep/er/second")
	e.Show("signer", "create", "--ca", "acme-ca", "--out", "deep/er/second")
	e.Show("signer", "create", "--ca", "acme-ca", "--out", "third", "--name", "Build machine")
	e.Show("signer", "create", "--ca", "nowhere", "--out", "fourth")
	e.Show("signer", "create", "--ca", "acme-ca", "--out", "fourth", "--name", "\x1b[31m")
	e.Note("A certificate of one authority with the key of another.")
	e.Write("acme-ca/ca.crt", e.Read("it's mine/ca.crt"))
	e.Show("signer", "create", "--ca", "acme-ca", "--out", "fourth")
	e.Compare(golden, "authority")

	if e.Read("acme-ca/ca.key") != before || e.Read("half/signer.crt") != "precious" {
		t.Error("a file was overwritten")
	}
	for _, absent := range []string{"x", "fourth", "half/ca.crt"} {
		if _, err := os.Lstat(absent); err == nil {
			t.Errorf("%s was left behind", absent)
		}
	}
}

func TestAuthorityMatchesItsKeys(t *testing.T) {
	e := newTerminal(t)
	e.Must("ca", "create", "--dir", "ca", "--vendor", "Acme")
	e.Must("signer", "create", "--ca", "ca", "--out", "second", "--name", "Build machine")
	first, err := token.ParseSigner([]byte(e.Read("ca/signer.crt")), []byte(e.Read("ca/signer.key")))
	if err != nil {
		t.Fatal(err)
	}
	second, err := token.ParseSigner([]byte(e.Read("second/signer.crt")), []byte(e.Read("second/signer.key")))
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
	if want := clitest.Present.AddDate(10, 0, 0); !chain[0].NotAfter.Equal(want) {
		t.Errorf("the signer ends at %s, not %s", chain[0].NotAfter, want)
	}
	if want := clitest.Present.AddDate(20, 0, 0); !chain[1].NotAfter.Equal(want) {
		t.Errorf("the root ends at %s, not %s", chain[1].NotAfter, want)
	}
}

func TestIssue(t *testing.T) {
	golden := clitest.Goldens(t)
	e := newTerminal(t)
	e.Must("ca", "create", "--dir", "acme-ca", "--vendor", "Acme")
	// issue records a command without the flags that are the same each time.
	issue := func(args ...string) clitest.Output {
		t.Helper()
		return e.Show(append([]string{
			"issue", "--signer", "acme-ca", "--product", "acme-mesh", "--customer",
			"Example GmbH",
		}, args...)...)
	}
	issue("--valid-for", "365d", "--nodes", "100")
	issue("--expires", "2027-12-31", "-o", "token")
	issue("--expires", "2027-12-31T12:00:00+02:00", "--not-before", "2027-01-01", "--grace", "0s", "--name", "renewal")
	e.Note("With --id.")
	issue("--valid-for", "1d12h", "--id", "2026-0042")
	issue("--valid-for", "1d12h", "--id", "acme-mesh-2026.0042")
	issue("--valid-for", "1d12h", "--id", "Nº 42/2026")
	issue("--valid-for", "1d12h", "--id", "\u202eevil")
	e.Note("Refused: terms.")
	issue()
	issue("--valid-for", "365d", "--expires", "2027-12-31")
	issue("--valid-for", "0d")
	issue("--valid-for", "1q")
	issue("--expires", "tomorrow")
	issue("--expires", "2027-12-31T12:00:00.5Z")
	issue("--expires", "2026-11-21")
	issue("--expires", "2026-11-22T10:00:00Z")
	issue("--expires", "2027-12-31", "--not-before", "2028-01-01")
	issue("--valid-for", "365d", "--grace", "3651d")
	issue("--valid-for", "3650d")
	issue("--expires", "2036-10-24")
	e.Note("Refused: names, limits, features.")
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
	e.Show("issue", "--signer", "acme-ca", "--product", "Acme Mesh", "--customer", "Example GmbH", "--valid-for", "1d")
	e.Show("issue", "--signer", "acme-ca", "--product", "acme-mesh", "--customer", "\x1b[2J", "--valid-for", "1d")
	e.Note("Refused: signers.")
	e.Show("issue", "--signer", "nowhere", "--product", "acme-mesh", "--customer", "Example GmbH", "--valid-for", "1d")
	if err := os.Chmod("acme-ca/signer.key", 0o644); err != nil {
		t.Fatal(err)
	}
	issue("--valid-for", "1d", "--id", "readable")
	e.Write("acme-ca/signer.key", e.Read("acme-ca/ca.key"))
	issue("--valid-for", "1d")
	e.Compare(golden, "issue")
}

func TestInspect(t *testing.T) {
	golden := clitest.Goldens(t)
	e := newTerminal(t)
	e.Must("ca", "create", "--dir", "acme-ca", "--vendor", "Acme")
	e.Must("ca", "create", "--dir", "other-ca", "--vendor", "Other")
	anchors := e.Read("acme-ca/ca.crt")
	issue := func(args ...string) string {
		t.Helper()
		return e.Must(append([]string{
			"issue", "--signer", "acme-ca", "--product", "acme-mesh", "--customer", "Example GmbH", "--expires",
			"2027-12-31", "--id", "2026-0042",
		}, args...)...)
	}
	e.Write("key.yaml", issue("--nodes", "100", "--limit", "gateways=5", "--feature", "federation", "--feature",
		"support", "--cluster", "uid-1", "--cluster", "uid-2"))
	e.Write("key.jwt", issue("-o", "token"))
	e.Write("elsewhere.yaml", issue("--audience", "acme-mesh-enterprise", "--not-before", "2027-01-01"))
	e.Write("product.yaml", clitest.Product("acme-mesh", anchors, ""))
	e.Write("revoked.yaml", clitest.Product("acme-mesh", anchors, "  revocations:\n  - licenseID: 2026-0042\n"))
	e.Write("broken.yaml", clitest.Product("acme-mesh", "nonsense\n", ""))
	e.Write("products.yaml",
		clitest.Product("acme-db", e.Read("other-ca/ca.crt"), "")+"---\n"+clitest.Product("acme-mesh", anchors, ""))
	e.Now = clitest.Present.AddDate(0, 0, 3).Add(90 * time.Minute)

	e.Show("inspect", "key.yaml")
	e.Show("inspect", "key.yaml", "--trust-anchor", "acme-ca/ca.crt")
	e.Show("inspect", "key.yaml", "--product", "product.yaml")
	e.Show("inspect", "key.yaml", "--product", "products.yaml", "--cluster", "uid-2", "-o", "json")
	e.Show("inspect", "key.jwt", "--product", "product.yaml", "-o", "yaml")
	e.Feed(e.Read("key.jwt"), "inspect", "-")

	e.Note("At different times.")
	e.Show("inspect", "elsewhere.yaml", "--trust-anchor", "acme-ca/ca.crt")
	e.Show("inspect", "key.jwt", "--product", "product.yaml", "--at", "2026-11-22T09:59:59Z")
	e.Show("inspect", "key.jwt", "--product", "product.yaml", "--at", "2026-11-22T10:00:00Z")
	e.Show("inspect", "key.jwt", "--product", "product.yaml", "--at", "2027-12-31T23:59:59Z")
	e.Show("inspect", "key.jwt", "--product", "product.yaml", "--at", "2028-01-01")
	e.Show("inspect", "key.jwt", "--product", "product.yaml", "--at", "2028-01-31")

	e.Note("--require-valid-for.")
	e.Show("inspect", "key.jwt", "--product", "product.yaml", "--require-valid-for", "60d", "--at", "2027-11-02")
	e.Show("inspect", "key.jwt", "--product", "product.yaml", "--require-valid-for", "60d", "--at",
		"2027-11-02T00:00:01Z")
	e.Show("inspect", "key.jwt", "--product", "product.yaml", "--require-valid-for", "1s", "--at", "2028-01-01")

	e.Note("Keys that do not verify.")
	e.Show("inspect", "key.yaml", "--trust-anchor", "other-ca/ca.crt")
	e.Show("inspect", "key.yaml", "--product", "revoked.yaml", "-o", "json")
	e.Show("inspect", "key.yaml", "--product", "product.yaml", "--cluster", "uid-3")
	e.Show("inspect", "elsewhere.yaml", "--product", "product.yaml")
	e.Write("forged.yaml", forged(t, e.Read("key.yaml")))
	e.Show("inspect", "forged.yaml", "--product", "product.yaml")
	e.Show("inspect", "forged.yaml")
	e.Write("incomplete.jwt", unsigned(`{"sub":"x"}`))
	e.Show("inspect", "incomplete.jwt")
	e.Show("inspect", "incomplete.jwt", "--product", "product.yaml")

	e.Note("Files that are not keys.")
	e.Write("truncated.jwt", e.Read("key.jwt")[:400])
	e.Write("empty", "")
	e.Write("huge", strings.Repeat("A", files.MaxBytes+1))
	e.Write("long.jwt", "eyJ"+strings.Repeat("A", 20000)+".e30.AA")
	e.Write("calico.yaml", "apiVersion: projectcalico.org/v3\nkind: LicenseKey\nmetadata:\n  name: default\nspec:\n "+
		" token: x\n")
	e.Write("ref.yaml", "apiVersion: license-operator.io/v1alpha1\nkind: LicenseKey\nmetadata:\n  name: k\nspec:\n  "+
		"productName: acme-mesh\n"+
		"  tokenSecretRef:\n    name: acme-mesh\n    key: license.jwt\n")
	e.Write("utf16.txt", "\xff\xfee\x00y\x00J\x00")
	e.Write("secret.yaml",
		"apiVersion: v1\nkind: Secret\nmetadata:\n  name: two\nstringData:\n  b: "+e.Read("key.jwt")+"  a: "+
			e.Read("key.jwt"))
	for _, file := range []string{
		"truncated.jwt", "empty", "huge", "long.jwt", "calico.yaml", "ref.yaml", "utf16.txt", "secret.yaml",
		"product.yaml", "acme-ca/ca.key",
	} {
		if got := e.Show("inspect", file); got.Code != command.ExitUnreadable {
			t.Errorf("%s ended with %d", file, got.Code)
		}
	}

	e.Note("Mistakes with files.")
	e.Show("inspect", "missing.yaml")
	e.Show("inspect", "acme-ca")
	e.Show("inspect", "key.yaml", "--product", "missing.yaml")
	e.Show("inspect", "key.yaml", "--product", "key.yaml")
	e.Show("inspect", "key.yaml", "--product", "broken.yaml")
	e.Show("inspect", "key.jwt", "--product", "products.yaml")
	e.Show("inspect", "key.yaml", "--trust-anchor", "acme-ca/ca.key")
	e.Write("another.yaml", strings.ReplaceAll(e.Read("product.yaml"), "acme-mesh", "acme-db"))
	e.Show("inspect", "key.yaml", "--product", "another.yaml")
	e.Compare(golden, "inspect")
}

func TestExitCodesOfInspect(t *testing.T) {
	e := newTerminal(t)
	e.Must("ca", "create", "--dir", "ca", "--vendor", "Acme")
	e.Write("key", e.Must("issue", "--signer", "ca", "--product", "p", "--customer", "c", "--expires", "2027-12-31",
		"-o", "token"))
	e.Write("no-key", "hello")
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
		if got := e.Run("", append([]string{"inspect"}, test.args...)...); got.Code != test.code {
			t.Errorf("%q ended with %d, not %d: %s", test.args, got.Code, test.code, got.Stderr)
		}
	}
}

func TestModes(t *testing.T) {
	if os.PathSeparator == '\\' {
		t.Skip("Windows has no modes")
	}
	e := newTerminal(t)
	e.Must("ca", "create", "--dir", "a/b", "--vendor", "Acme")
	e.Must("signer", "create", "--ca", "a/b", "--out", "c")
	for path, want := range map[string]fs.FileMode{
		"a": 0o700, "a/b": 0o700, "c": 0o700,
		"a/b/ca.key": 0o600, "a/b/signer.key": 0o600, "c/signer.key": 0o600,
	} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s has mode %04o, not %04o", path, got, want)
		}
	}
	for _, path := range []string{"a/b/ca.crt", "a/b/signer.crt"} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm()&0o400 == 0 {
			t.Errorf("%s: %v, %v", path, info, err)
		}
	}
}

// TestIssuedKey reads an issued key as the operator does.
func TestIssuedKey(t *testing.T) {
	e := newTerminal(t)
	e.Now = clitest.Present.Add(300 * time.Millisecond)
	e.Must("ca", "create", "--dir", "ca", "--vendor", "Acme")
	manifest := e.Must("issue", "--signer", "ca", "--product", "acme-mesh", "--audience", "mesh", "--customer",
		"Example GmbH", "--id", "2026-0042",
		"--not-before", "2027-01-01", "--valid-for", "365d", "--grace", "1d12h",
		"--nodes", "0", "--cores", "400", "--limit", "gateways=5", "--limit", "sites=9223372036854775807",
		"--feature", "support", "--feature", "federation, of clusters", "--cluster", "uid-1", "--cluster", "uid-2")

	var key api.LicenseKey
	if err := yaml.UnmarshalStrict([]byte(manifest), &key); err != nil {
		t.Fatal(err)
	}
	terms, err := token.NewTerms(
		&api.LicensedProduct{Spec: api.LicensedProductSpec{Audience: "mesh", TrustAnchors: e.Read("ca/ca.crt")}})
	if err != nil {
		t.Fatal(err)
	}
	result := token.Verify(key.Spec.Token, "", terms, "uid-2", clitest.Present)
	if result.Err != nil {
		t.Fatal(result.Err)
	}
	begin := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	want := &license.Claims{
		ID: "2026-0042", Customer: "Example GmbH", Issuer: "Acme", Audience: []string{"mesh"},
		IssuedTime: clitest.Present, NotBefore: begin, Expiry: begin.Add(365 * text.Day), GracePeriod: 36 * time.Hour,
		Features:    []string{"support", "federation, of clusters"},
		Limits:      map[string]int64{"nodes": 0, "cores": 400, "gateways": 5, "sites": 9223372036854775807},
		ClusterUIDs: []string{"uid-1", "uid-2"},
	}
	if !reflect.DeepEqual(result.Claims, want) {
		t.Errorf("got  %+v\nwant %+v", result.Claims, want)
	}
}

// A cluster that does not answer is different from one that forbids reading its uid.
func TestVerifyWithoutTheCluster(t *testing.T) {
	e := newTerminal(t)
	e.Write("key.jwt", "a.b.c")
	got := e.Ask(clitest.NewFakeAPI(t), "apply", "key.jwt", "--dry-run=client")
	if got.Code != command.ExitFailed || !strings.HasPrefix(got.Stderr, "error: cannot read the cluster's uid: ") {
		t.Errorf("%+v", got)
	}
}

// TestNotInstalled asks a cluster without our kinds. test/plugin has the answers of real API servers.
func TestNotInstalled(t *testing.T) {
	fake := clitest.NewFakeAPI(t)
	fake.Missing = true
	server := fake.Start()
	want := clitest.Output{
		Code: command.ExitFailed,
		Stderr: "error: license-operator is not installed in this cluster: it has no LicensedProducts\nInstall it, " +
			"or choose another cluster with --context.\n",
	}
	for _, args := range [][]string{
		{"status"},
		{"status", "acme-mesh", "--watch"},
		{"keys"},
		{"request", "acme-mesh"},
	} {
		if got := newTerminal(t).Run("", append(args, "--server", server)...); got != want {
			t.Errorf("%q: got %+v", args, got)
		}
	}
}

func TestReportVerify(t *testing.T) {
	golden := clitest.Goldens(t)
	e := newTerminal(t)
	document := clitest.Report(t, clitest.OneProduct)

	e.Note("Reports that were not changed.")
	e.Write("report.json", document)
	e.Show("report", "verify", "report.json")
	e.Feed(clitest.Archive(t, licensereport.ArchivedName, document), "report", "verify", "-")
	e.Write("indented.json", strings.ReplaceAll(strings.ReplaceAll(document, ",", ",\n\t"), ":[", ": ["))
	e.Show("report", "verify", "indented.json")
	e.Write("again.tar", clitest.Archive(t, "./"+licensereport.ArchivedName, document))
	e.Show("report", "verify", "again.tar")
	e.Write("none.json", clitest.Report(t, "[]"))
	e.Show("report", "verify", "none.json")
	e.Write("hostile.json", clitest.Report(t, `[{"name":"acme\u001b[2J","vendor":"\u202eemcA"}]`))
	e.Show("report", "verify", "hostile.json")

	e.Note("A report that was changed.")
	e.Write("changed.json", strings.Replace(document, "Valid", "Expired", 1))
	if got := e.Show("report", "verify", "changed.json"); got.Code != command.ExitUnverified {
		t.Errorf("ended with %d", got.Code)
	}

	e.Note("Files that are not reports.")
	for _, file := range []struct{ name, content string }{
		{"empty", ""},
		{"text", "hello"},
		{"half.json", document[:len(document)/2]},
		{"list.json", "[" + document + "]"},
		{"twice.json", document + document},
		{"without-checksum.json", `{"timestamp":"2026-11-22T10:05:00Z"}`},
		{"other-types.json", `{"timestamp":1,"checksum":2}`},
		{"two-names.json", `{"checksum":"x",` + document[1:]},
		{"half.tar", clitest.Archive(t, licensereport.ArchivedName, document)[:600]},
		{"empty.tar", clitest.Archive(t)},
		{"other.tar", clitest.Archive(t, "../../etc/passwd", document)},
		{"more.tar", clitest.Archive(t, licensereport.ArchivedName, document, "more\x1b[2J", "")},
		{"two.tar", clitest.Archive(t, licensereport.ArchivedName, document, licensereport.ArchivedName, document)},
		{"text.tar", clitest.Archive(t, licensereport.ArchivedName, "hello")},
		{"behind.tar", clitest.Archive(t, licensereport.ArchivedName, document) + clitest.Archive(t, "more", "of it")},
	} {
		e.Write(file.name, file.content)
		if got := e.Show("report", "verify", file.name); got.Code != command.ExitFailed {
			t.Errorf("%s ended with %d", file.name, got.Code)
		}
	}
	e.Show("report", "verify", "missing.tar")
	e.Show("report", "verify", ".")
	e.Compare(golden, "report_verify")
}
