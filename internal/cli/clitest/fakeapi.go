// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package clitest

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/cli/manifest"
)

// FakeAPI is an API server for commands that set annotations: it has discovery, and one LicensedProduct. It is for
// tests of the plugin's messages; tests with a real API server are in test/plugin.
type FakeAPI struct {
	t       *testing.T
	Product *api.LicensedProduct
	// Operator acts on the annotation, as the operator would; nil: no operator.
	Operator func(product *api.LicensedProduct)
	// Read is called for each read of the product; may be nil.
	Read func(product *api.LicensedProduct)
	// Denied is the verb that is forbidden.
	Denied string
	// Missing: the kinds are not installed.
	Missing bool

	mutex   sync.Mutex
	Patches []string
}

// Paths of the API.
const (
	groupPath   = "/apis/license-operator.io/v1alpha1"
	productPath = groupPath + "/licensedproducts/"
)

// NewFakeAPI has one product, acme-mesh, which has expired.
func NewFakeAPI(t *testing.T) *FakeAPI {
	mark := metav1.NewTime(time.Date(2027, 12, 24, 12, 0, 0, 0, time.UTC))
	return &FakeAPI{t: t, Product: &api.LicensedProduct{
		TypeMeta:   metav1.TypeMeta{APIVersion: api.GroupVersion.String(), Kind: manifest.KindLicensedProduct},
		ObjectMeta: metav1.ObjectMeta{Name: "acme-mesh"},
		Status:     api.LicensedProductStatus{State: api.LicensedProductExpired, TimeMark: &mark},
	}}
}

// Start serves until the test ends.
func (f *FakeAPI) Start() (server string) {
	running := httptest.NewServer(f)
	f.t.Cleanup(running.Close)
	return running.URL
}

// ServeHTTP implements http.Handler.
func (f *FakeAPI) ServeHTTP(response http.ResponseWriter, request *http.Request) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	switch {
	case request.URL.Path == groupPath && !f.Missing:
		f.answer(response, http.StatusOK, metav1.APIResourceList{
			TypeMeta:     metav1.TypeMeta{APIVersion: "v1", Kind: "APIResourceList"},
			GroupVersion: api.GroupVersion.String(),
			APIResources: []metav1.APIResource{{
				Name: "licensedproducts", Kind: manifest.KindLicensedProduct,
				Verbs: metav1.Verbs{"get", "list", "patch"},
			}},
		})
	case request.URL.Path == "/apis/license-operator.io" && !f.Missing:
		f.answer(response, http.StatusOK, f.groups().Groups[0])
	case request.URL.Path == "/api":
		f.answer(response, http.StatusOK,
			metav1.APIVersions{
				TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "APIVersions"},
				Versions: []string{"v1"},
			})
	case request.URL.Path == "/apis":
		f.answer(response, http.StatusOK, f.groups())
	case strings.HasPrefix(request.URL.Path, productPath):
		f.serveProduct(response, request)
	case request.URL.Path == strings.TrimSuffix(productPath, "/"):
		f.answer(response, http.StatusOK, api.LicensedProductList{
			TypeMeta: metav1.TypeMeta{APIVersion: api.GroupVersion.String(), Kind: "LicensedProductList"},
			Items:    []api.LicensedProduct{*f.Product, {ObjectMeta: metav1.ObjectMeta{Name: "acme-db"}}},
		})
	default:
		f.refuse(response, http.StatusNotFound, metav1.StatusReasonNotFound, "",
			"the server could not find the requested resource")
	}
}

func (f *FakeAPI) groups() metav1.APIGroupList {
	groups := metav1.APIGroupList{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "APIGroupList"}}
	if f.Missing {
		return groups
	}
	version := metav1.GroupVersionForDiscovery{GroupVersion: api.GroupVersion.String(), Version: "v1alpha1"}
	groups.Groups = []metav1.APIGroup{{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "APIGroup"}, Name: api.GroupVersion.Group,
		Versions: []metav1.GroupVersionForDiscovery{version}, PreferredVersion: version,
	}}
	return groups
}

func (f *FakeAPI) serveProduct(response http.ResponseWriter, request *http.Request) {
	name := strings.TrimPrefix(request.URL.Path, productPath)
	switch {
	case request.Method == f.Denied:
		f.refuse(response, http.StatusForbidden, metav1.StatusReasonForbidden, name,
			`licensedproducts.license-operator.io "acme-mesh" is forbidden: User "jane" cannot `+
				strings.ToLower(f.Denied)+` it`)
		return
	case name != f.Product.Name:
		f.refuse(response, http.StatusNotFound, metav1.StatusReasonNotFound, name,
			`licensedproducts.license-operator.io "`+name+`" not found`)
		return
	case request.Method == http.MethodPatch:
		f.patch(request)
	case f.Read != nil:
		f.Read(f.Product)
	}
	f.answer(response, http.StatusOK, f.Product)
}

func (f *FakeAPI) patch(request *http.Request) {
	body, err := io.ReadAll(request.Body)
	if err != nil {
		f.t.Error(err)
	}
	f.Patches = append(f.Patches, request.Header.Get("Content-Type")+" "+request.URL.RawQuery+" "+string(body))
	var patch struct {
		Metadata struct {
			Annotations map[string]*string `json:"annotations"`
		} `json:"metadata"`
	}
	if err := json.Unmarshal(body, &patch); err != nil {
		f.t.Error(err)
	}
	for key, value := range patch.Metadata.Annotations {
		if value == nil {
			delete(f.Product.Annotations, key)
		} else {
			metav1.SetMetaDataAnnotation(&f.Product.ObjectMeta, key, *value)
		}
	}
	if f.Operator != nil {
		f.Operator(f.Product)
	}
}

func (f *FakeAPI) refuse(response http.ResponseWriter, code int32, reason metav1.StatusReason, name, message string) {
	f.answer(response, int(code), metav1.Status{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: metav1.StatusFailure, Code: code,
		Reason: reason, Message: message,
		Details: &metav1.StatusDetails{Group: api.GroupVersion.Group, Kind: "licensedproducts", Name: name},
	})
}

func (f *FakeAPI) answer(response http.ResponseWriter, code int, object any) {
	response.Header().Set("Content-Type", "application/json")
	response.WriteHeader(code)
	if err := json.NewEncoder(response).Encode(object); err != nil {
		f.t.Error(err)
	}
}

// Ask records a command against an API server.
func (e *Terminal) Ask(fake *FakeAPI, args ...string) Output {
	e.T.Helper()
	server := fake.Start()
	got := e.Show(append(args, "--server", server)...)
	e.ReplaceAll(server, "http://api")
	return got
}
