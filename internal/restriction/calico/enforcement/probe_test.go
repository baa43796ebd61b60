// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package enforcement

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime"
	clienttesting "k8s.io/client-go/testing"

	"github.com/license-operator/license-operator/internal/restriction/calico"
)

// What an API server may answer to a probe, and what that proves.
func TestProbe(t *testing.T) {
	const mesh, zeta = `No license covers LicensedProduct "mesh" (Acme)`, `No license covers LicensedProduct ` +
		`"zeta" (Zeta)`
	const asked = "testing tier security: "
	for name, test := range map[string]struct {
		answer error
		want   string
	}{
		"refused, with the notice": {
			errors.New("ValidatingAdmissionPolicy 'lock' denied request: As it is. " + mesh),
			"",
		},
		"refused, with another's notice": {
			errors.New("ValidatingAdmissionPolicy 'lock' denied request: As it is. " + zeta), "",
		},
		"refused for some other reason":    {errors.New("the quota is used up"), asked + "the quota is used up"},
		"refused by a lock with no notice": {errors.New("this tier is restricted"), asked + "this tier is restricted"},
		"accepted": {
			nil,
			"testing tier security: the API server accepted a policy that it must reject",
		},
	} {
		t.Run(name, func(t *testing.T) {
			client, _ := cluster(nil, nil)
			var dryRun []string
			client.PrependReactor("create",
				"globalnetworkpolicies", func(action clienttesting.Action) (bool, runtime.Object, error) {
					create, ok := action.(clienttesting.CreateActionImpl)
					if !ok {
						return false, nil, nil
					}
					dryRun = create.CreateOptions.DryRun
					return true, create.Object, test.answer
				})
			err := New(client, operatorNamespace).Probe(t.Context(), "security", mesh, zeta)
			if diff := cmp.Diff(test.want, messageOf(err)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if diff := cmp.Diff([]string{"All"}, dryRun); diff != "" {
				t.Errorf("it would be stored: %s", diff)
			}
		})
	}
}

// The lock refuses a probe by its order, since its spec is not a pass policy's. Should one ever be stored, it does
// nothing.
func TestProbeIsHarmless(t *testing.T) {
	for _, tier := range []string{"security", "a.b", strings.Repeat("x", 253)} {
		p := probe(tier)
		want := calico.Policy{
			Kind: calico.GlobalNetworkPolicy, Name: p.GetName(), Tier: tier,
			Order: new(calico.PassOrder), ForPods: true,
		}
		if diff := cmp.Diff(want, calico.PolicyOf(calico.GlobalNetworkPolicy, p, operatorNamespace)); diff !=
			"" {
			t.Errorf("-want +got:\n%s", diff)
		}
		if name := p.GetName(); len(name) > 253 || strings.Count(name, ".") != 1 ||
			!strings.HasPrefix(name, calico.NamePrefix(tier)+".") {
			t.Errorf("%q is not a name for a policy of tier %s", name, tier)
		}
	}
}
