// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package report

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"encoding/pem"
	"errors"
	"flag"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	api "github.com/license-operator/license-operator/api/v1alpha1"
)

var update = flag.Bool("update", false, "write the golden files in testdata instead of comparing with them")

// present is the time of every test. It has a zone and a fraction of a second, which no report has.
var present = time.Date(2027, 3, 9, 15, 4, 5, 678, time.FixedZone("", 3600))

func at(year int, month time.Month, day int) *metav1.Time {
	return &metav1.Time{Time: time.Date(year, month, day, 1, 0, 0, 0, time.FixedZone("", 3600))}
}

func used(nodes, cores int64) []api.Usage {
	return []api.Usage{{Name: api.UsageNodes, Value: &nodes}, {Name: api.UsageCores, Value: &cores}}
}

func certificates(ders ...string) string {
	var text strings.Builder
	for _, der := range ders {
		text.Write(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte(der)}))
	}
	return text.String()
}

// mesh is a product with all there is to tell of one.
func mesh() *api.LicensedProduct {
	return &api.LicensedProduct{
		ObjectMeta: metav1.ObjectMeta{Name: "acme-mesh", CreationTimestamp: *at(2026, 2, 1)},
		Spec: api.LicensedProductSpec{
			Vendor: "Acme <&> Söhne", TrustAnchors: "not to be used",
			Restriction: &api.RestrictionSpec{Mode: api.RestrictionDefaultTierOnly},
		},
		Status: api.LicensedProductStatus{
			State: api.LicensedProductValid, ActiveLicenseKeyName: "acme-mesh-2027",
			ExpiryTime: at(2028, 1, 1), GraceEndTime: at(2028, 1, 31), CoverageEndTime: at(2029, 1, 31),
			Limits: []api.Limit{
				{Name: "nodes", Value: new(int64(100))},
				{Name: "requests", Value: new(int64(1<<63 - 1))},
			},
			Usage: used(73, 292),
			MonthlyPeaks: []api.MonthlyPeak{
				{Month: "2027-02", Usage: used(80, 300)},
				{Month: "2027-03", Usage: []api.Usage{{Name: "nodes", Value: new(int64(75))}}},
			},
			TrustAnchors: certificates("the root", "another"),
			Restriction: &api.RestrictionStatus{
				State: api.RestrictionPaused, EffectiveTime: at(2029, 1, 31), MaxMode: api.RestrictionReadOnly,
				Pause: &api.RestrictionPause{
					SinceTime: at(2027, 3, 8), UntilTime: at(2027, 3, 11),
					Reason: "Jane is on it",
				},
				Preview: &api.RestrictionPreview{Mode: api.RestrictionReadOnly},
				SparedTiers: []api.SparedTier{
					{Name: "kube", Reason: api.TierSparedSystem},
					{Name: "payments", Reason: api.TierSparedNever},
				},
			},
		},
	}
}

// gateway is a product whose license is over.
func gateway() *api.LicensedProduct {
	return &api.LicensedProduct{
		ObjectMeta: metav1.ObjectMeta{Name: "gateway", CreationTimestamp: *at(2025, 2, 1)},
		Spec: api.LicensedProductSpec{
			Vendor: "Initech", TrustAnchors: certificates("root of Initech"),
			Restriction: &api.RestrictionSpec{Mode: api.RestrictionDefaultTierOnly},
		},
		Status: api.LicensedProductStatus{
			State: api.LicensedProductExpired, ActiveLicenseKeyName: "gateway-2026",
			ExpiryTime: at(2027, 1, 1), GraceEndTime: at(2027, 1, 31), CoverageEndTime: at(2027, 1, 31),
			Usage: used(2, 8),
			Restriction: &api.RestrictionStatus{
				State: api.RestrictionActive, EffectiveTime: at(2027, 1, 31), MaxMode: api.RestrictionDefaultTierOnly,
				InForce: &api.RestrictionInForce{
					Mode: api.RestrictionReadOnly, ModeReason: api.ModeReasonWindowsNode, SinceTime: at(2027, 1, 31),
					Tiers: []api.RestrictedTier{{Name: "security"}, {Name: "platform"}},
				},
			},
		},
	}
}

// fresh is a product without a license.
func fresh() *api.LicensedProduct {
	return &api.LicensedProduct{
		ObjectMeta: metav1.ObjectMeta{Name: "fresh", CreationTimestamp: *at(2027, 3, 9)},
		Spec:       api.LicensedProductSpec{Vendor: "Hooli", TrustAnchors: certificates("root of Hooli")},
		Status: api.LicensedProductStatus{
			State: api.LicensedProductUnlicensed, Usage: used(0, 0),
			Restriction: &api.RestrictionStatus{EffectiveTime: at(2027, 4, 8)},
		},
	}
}

func keyOf(product, name, id string) *api.LicenseKey {
	return &api.LicenseKey{
		ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: api.LicenseKeySpec{ProductName: product},
		Status: api.LicenseKeyStatus{LicenseID: id, NotBeforeTime: at(2027, 1, 1)},
	}
}

func factsOf(products ...*api.LicensedProduct) *Facts {
	return &Facts{
		Time: present, OperatorVersion: "v1.2.3", ClusterUID: "11111111-2222-3333-4444-555555555555",
		System: SystemInfo{
			Cores: 4, Hostname: "license-operator-controller-manager-6d9f-x2v8k",
			Uname: "Linux x86_64",
		},
		Cluster:  Cluster{Version: "v1.37.2", Namespaces: new(int64(12)), Users: new(int64(61))},
		Products: products,
		Keys: map[string]*api.LicenseKey{
			"acme-mesh-2027": keyOf("acme-mesh", "acme-mesh-2027", "L-2027"),
			"gateway-2026":   keyOf("gateway", "gateway-2026", "G-2026"),
		},
	}
}

func TestReport(t *testing.T) {
	schema := strictSchema(t)
	ofAll := factsOf(mesh(), fresh(), gateway())
	ofAll.OfAll = true
	noneOfAll := factsOf()
	noneOfAll.OfAll = true
	poor := factsOf(fresh())
	poor.Cluster = Cluster{
		Version: "v1.37.2",
		Warnings: []string{"rbac_users: missing, since the operator is not allowed to list rolebindings and " +
			"clusterrolebindings."},
	}
	unknown := mesh()
	unknown.Status = api.LicensedProductStatus{}
	unknown.Spec.TrustAnchors = certificates("the root")
	lost, anothers, unread := mesh(), mesh(), mesh()
	lost.Status.ActiveLicenseKeyName = "gone"
	anothers.Status.ActiveLicenseKeyName = "gateway-2026"
	unread.Status.ActiveLicenseKeyName = "unread"
	unreadKey := factsOf(unread)
	unreadKey.Keys["unread"] = keyOf("acme-mesh", "unread", "")
	for name, facts := range map[string]*Facts{
		"valid":         factsOf(mesh()),
		"expired":       factsOf(gateway()),
		"unlicensed":    factsOf(fresh()),
		"all":           ofAll,
		"empty-cluster": factsOf(),
		"none-of-all":   noneOfAll,
		"few-rights":    poor,
		"not-yet-known": factsOf(unknown),
		"key-gone":      factsOf(lost),
		"key-anothers":  factsOf(anothers),
		"key-unread":    unreadKey,
	} {
		t.Run(name, func(t *testing.T) {
			encoded, err := Make(facts).Encode()
			if err != nil {
				t.Fatal(err)
			}
			var readable bytes.Buffer
			if err := json.Indent(&readable, encoded, "", "  "); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join("testdata", name+".json")
			if *update {
				if err := os.WriteFile(path, readable.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), readable.String()); diff != "" {
				t.Errorf("%s differs (go test ./internal/report -update writes it anew): -want +got:\n%s", path, diff)
			}
			document, err := jsonschema.UnmarshalJSON(bytes.NewReader(encoded))
			if err != nil {
				t.Fatal(err)
			}
			if err := schema.Validate(document); err != nil {
				t.Error(err)
			}
			if sum, err := Checksum(encoded); err != nil ||
				!strings.HasPrefix(string(encoded), `{"checksum":"`+sum+`",`) {
				t.Errorf("its checksum is %s: %v", sum, err)
			}
		})
	}
}

// strictSchema is that of docs/, which in this test allows no member that it does not name.
func strictSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	file, err := os.Open("../../docs/license-report.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close() //nolint:errcheck // it was read
	document, err := jsonschema.UnmarshalJSON(file)
	if err != nil {
		t.Fatal(err)
	}
	closeObjects(document)
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	if err := compiler.AddResource("report.json", document); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("report.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

func closeObjects(node any) {
	switch node := node.(type) {
	case map[string]any:
		if _, ok := node["properties"].(map[string]any); ok {
			node["additionalProperties"] = false
		}
		for _, child := range node {
			closeObjects(child)
		}
	case []any:
		for _, child := range node {
			closeObjects(child)
		}
	}
}

// Whatever else the objects hold stays in the cluster: in this test each text that must not be told says so.
func TestReportTellsNoSecrets(t *testing.T) {
	const secret = "SECRET"
	product := mesh()
	product.Labels, product.Annotations = map[string]string{secret: secret}, map[string]string{secret: secret}
	product.Spec.RenewalURL, product.Spec.Audience = secret, secret
	product.Spec.Revocations = []api.Revocation{{LicenseID: secret, CertificateSHA256: secret}}
	product.Spec.Usage = &api.UsageSpec{
		NodeSelector: &metav1.LabelSelector{MatchLabels: map[string]string{secret: secret}},
	}
	product.Spec.Restriction.TierSelector = product.Spec.Usage.NodeSelector
	product.Spec.TrustAnchors = certificates(secret)
	product.Status.TrustAnchors = certificates(secret)
	product.Status.Features = []string{secret}
	product.Status.Conditions = []metav1.Condition{{Type: secret, Reason: secret, Message: secret}}
	product.Status.LastHandledClockReset = secret
	restriction := product.Status.Restriction
	restriction.SparedNamespace, restriction.Pause.Reason = secret, secret
	restriction.SparedTiers = append(restriction.SparedTiers, api.SparedTier{Name: secret, Reason: api.TierSparedNever})
	restriction.InForce = &api.RestrictionInForce{
		Mode: api.RestrictionReadOnly, Message: secret,
		SinceTime: at(2027, 1, 1), Tiers: []api.RestrictedTier{{Name: secret}},
	}
	restriction.Bypasses = &api.RestrictionBypasses{
		Total:    1,
		Policies: []api.BypassingPolicy{{Name: secret, Namespace: secret, Tier: secret}},
	}
	key := keyOf("acme-mesh", "acme-mesh-2027", "L-2027")
	key.Labels, key.Annotations = product.Labels, product.Annotations
	key.Spec.Token, key.Spec.Certificate = secret, certificates(secret)
	key.Spec.TokenSecretRef = &api.SecretKeyReference{Name: secret, Key: secret}
	key.Status.Customer, key.Status.Features = secret, []string{secret}
	key.Status.Conditions = product.Status.Conditions
	facts := factsOf(product)
	facts.Keys[key.Name] = key

	encoded, err := Make(facts).Encode()
	if err != nil {
		t.Fatal(err)
	}
	// As base64 in PEM as well.
	for _, told := range []string{secret, "U0VDUkVU", "BEGIN"} {
		if bytes.Contains(encoded, []byte(told)) {
			t.Errorf("%q is in the report:\n%s", told, encoded)
		}
	}
}

func TestArchive(t *testing.T) {
	content := []byte("{}\n")
	archive, err := Archive(content, present)
	if err != nil {
		t.Fatal(err)
	}
	r := tar.NewReader(bytes.NewReader(archive))
	header, err := r.Next()
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(r)
	if err != nil || !bytes.Equal(got, content) {
		t.Errorf("got %q, %v", got, err)
	}
	type entry struct {
		Name    string
		Mode    int64
		Size    int64
		ModTime time.Time
	}
	want := entry{"response.json", 0o644, 3, present.UTC().Truncate(time.Second)}
	if diff := cmp.Diff(want, entry{header.Name, header.Mode, header.Size, header.ModTime.UTC()}); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if _, err := r.Next(); !errors.Is(err, io.EOF) {
		t.Errorf("there is more in it: %v", err)
	}
}

func TestFileName(t *testing.T) {
	for made, want := range map[time.Time]string{
		present: "report-2027_03_09_02_04_PM.tar",
		time.Date(2027, 12, 31, 0, 0, 0, 0, time.UTC):   "report-2027_12_31_12_00_AM.tar",
		time.Date(2027, 12, 31, 12, 59, 0, 0, time.UTC): "report-2027_12_31_12_59_PM.tar",
	} {
		if got := fileName(made, formatTar); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// The example of the docs, which has nothing of ours, recomputes every checksum, whatever vendors call themselves.
func TestAnyoneCanRecomputeTheChecksum(t *testing.T) {
	program := filepath.Join(t.TempDir(), "recompute")
	if output, err := exec.Command("go", "build", "-o", program, "../../docs/examples/license-report").
		CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden files: %v", err)
	}
	contents := map[string][]byte{}
	for _, file := range files {
		if contents[file], err = os.ReadFile(file); err != nil {
			t.Fatal(err)
		}
	}
	for _, vendor := range []string{
		"Acme\u2028Inc", "Acme\u2029", "Acme\u007f", "Acme\b\f\u0000", "\U0001f600\ue000",
		`\u2028 "quoted" <&>`,
	} {
		product := mesh()
		product.Spec.Vendor = vendor
		if contents[vendor], err = Make(factsOf(product)).Encode(); err != nil {
			t.Fatal(err)
		}
	}
	for name, content := range contents {
		recompute := exec.Command(program)
		recompute.Stdin = bytes.NewReader(content)
		sum, err := recompute.Output()
		want, errWant := Checksum(content)
		if err != nil || errWant != nil || string(sum) != want+"\n" {
			t.Errorf("%q: recomputed %s, want %s: %v, %v", name, sum, want, err, errWant)
		}
	}
}
