// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package timeline

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/license"
	"github.com/license-operator/license-operator/internal/restriction"
)

// drawHours has few values, so that boundaries are often equal.
func drawHours(t *rapid.T, label string, from, to int) time.Duration {
	return time.Duration(rapid.IntRange(from, to).Draw(t, label)) * time.Hour
}

// drawCourse is a product with keys that start and end within some days, and perhaps a pause.
func drawCourse(t *rapid.T) func() *Timeline {
	keys := make([]license.Key, rapid.IntRange(0, 4).Draw(t, "keys"))
	for i := range keys {
		begin := drawHours(t, "begin", -30, 60)
		keys[i] = license.Key{Name: fmt.Sprintf("key-%d", i), Claims: &license.Claims{
			ID: fmt.Sprintf("L-%d", i), IssuedTime: Present.Add(drawHours(t, "issued", -40, -31)),
			NotBefore: Present.Add(begin), Expiry: Present.Add(begin + drawHours(t, "term", 0, 30)),
			GracePeriod: drawHours(t, "grace", 0, 10),
		}}
	}
	product := &api.LicensedProduct{
		ObjectMeta: metav1.ObjectMeta{
			Name: "acme-mesh", CreationTimestamp: metav1.NewTime(Present.Add(drawHours(t, "created", -30, 0))),
		},
		Spec: api.LicensedProductSpec{
			UnlicensedGracePeriodDays: new(rapid.Int32Range(0, 2).Draw(t, "unlicensed period")),
			Restriction: &api.RestrictionSpec{
				Mode: api.RestrictionDefaultTierOnly, TierSelector: &metav1.LabelSelector{},
			},
		},
	}
	if rapid.Bool().Draw(t, "paused") {
		since := Present.Add(drawHours(t, "pause since", -10, 40))
		product.Annotations = map[string]string{
			api.RestrictionPauseAnnotation: restriction.PauseAnnotation(since, since.Add(drawHours(t, "pause", 1, 30))),
		}
	}
	caps := restriction.Caps{MaxMode: api.RestrictionDefaultTierOnly}
	return func() *Timeline { return New(product, keys, caps, Present) }
}

// standing is what must not differ.
type standing struct {
	State            api.LicensedProductState
	Key              string
	Restriction      api.RestrictionState
	Effective, Since time.Time
}

func standingOf(c *Timeline) standing {
	return standing{
		c.Evaluation.State, c.Evaluation.ActiveKeyName, c.State, c.Evaluation.EffectiveTime, c.Planned.Since,
	}
}

// The operator evaluates more often than a timeline: every hour, and after each change. The result must be the same.
func TestTimelineDoesNotDependOnItsSteps(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		begin := drawCourse(t)
		end := rapid.Int64Range(0, 120*3600).Draw(t, "end")
		at := Present.Add(time.Duration(end) * time.Second)
		direct, awake := begin(), begin()
		direct.AdvanceTo(at)
		for from := int64(0); from < end; {
			from = rapid.Int64Range(from, end).Draw(t, "look")
			awake.AdvanceTo(Present.Add(time.Duration(from) * time.Second))
			if rapid.Bool().Draw(t, "enough") {
				break
			}
		}
		awake.AdvanceTo(at)
		if difference := cmp.Diff(standingOf(awake), standingOf(direct)); difference != "" {
			t.Fatal(difference)
		}
	})
}

func TestRestrictionStartIsTheFirst(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		begin := drawCourse(t)
		start, _ := begin().RestrictionStart()
		at := func(instant time.Time) api.RestrictionState {
			c := begin()
			c.AdvanceTo(instant)
			return c.State
		}
		last := 200 * 3600
		if !start.IsZero() {
			if state := at(start); state != api.RestrictionActive {
				t.Fatalf("at its start it is %s", state)
			}
			last = int(start.Sub(Present)/time.Second) - 1
			if state := at(start.Add(-time.Second)); state == api.RestrictionActive {
				t.Fatal("it is in force before its start")
			}
		}
		// Before the first start it can be in force only from now on, and not again after it ended.
		earlier := rapid.IntRange(0, last).Draw(t, "earlier")
		later := rapid.IntRange(earlier, last).Draw(t, "later")
		before, after := at(Present.Add(time.Duration(earlier)*time.Second)),
			at(Present.Add(time.Duration(later)*time.Second))
		if after == api.RestrictionActive && before != api.RestrictionActive {
			t.Fatalf("it starts between %d s and %d s from now", earlier, later)
		}
	})
}

// Present is the time of every test.
var Present = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
