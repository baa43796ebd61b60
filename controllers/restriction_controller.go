// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/reconcile"
	"github.com/license-operator/license-operator/internal/restriction"
	"github.com/license-operator/license-operator/internal/restriction/calico"
	"github.com/license-operator/license-operator/internal/restriction/calico/enforcement"
)

// allRestrictions is the one request of the restriction controller: products may restrict the same tiers, so that there
// is one plan for all.
const allRestrictions = "all"

// restrictionReconciler plans what the restrictions of all products come to. It starts one only once the product's
// status has announced it, and ends one whatever the status says. Others carry the plan out, at their own pace: it
// waits for nothing. The reconciler of products, the one writer of their status, hears from it what has come of that.
type restrictionReconciler struct {
	reader   client.Reader
	assessor *assessor
	tally    *tally
	policies *tierPolicies
	maxMode  api.RestrictionMode
	// changes is the queue of this controller, and products that of products.
	changes, products *reconcile.Trigger
	// passes and locks carry the plan out.
	passes *passPolicyReconciler
	locks  *lockReconciler

	mu sync.Mutex
	// latest is the plan that counts; its outcomes are by product.
	latest   *restrictionPlan
	outcomes map[string]restrictionOutcome
}

// restrictionPlan is a plan, and what it was made of. Once it is made nothing of it changes.
type restrictionPlan struct {
	restriction.Plan
	products []restrictingProduct
	existing map[string]*enforcement.Existing
	// unseen is what kept the operator from seeing everything; then nobody knows what the restrictions affect.
	unseen error
	// work has to be done, by tier, and the lock to be proved with these notices, by tier.
	work    map[string]tierWork
	notices map[string][]string
}

// restrictionOutcome is what a product's restriction comes to, and what has come of it.
type restrictionOutcome struct {
	// product and generation that it is for.
	product    types.UID
	generation int64
	// mode under the caps, and whether it restricts.
	mode    api.RestrictionMode
	inForce bool
	// effects are nil where they cannot be seen.
	effects *restriction.Effects
	// reason and message of the condition RestrictionReady.
	reason, message string
	// isProving tells whether everything is in place, and the lock is being asked for.
	isProving bool
}

// Calico asks whoever touches a policy for the right to get its tier, and for those on policies as tier.POLICIES,
// besides the ordinary ones.
//
// +kubebuilder:rbac:groups=projectcalico.org,resources=tiers,verbs=get;list;watch
// +kubebuilder:rbac:groups=projectcalico.org,resources=globalnetworkpolicies;tier.globalnetworkpolicies,verbs=get;list;watch;create;update;delete
// +kubebuilder:rbac:groups=projectcalico.org,resources=networkpolicies;tier.networkpolicies,verbs=list;watch

func newRestrictionReconciler(
	mgr ctrl.Manager, options Options, assessor *assessor, tally *tally, products *reconcile.Trigger,
) (*restrictionReconciler, error) {
	dynamicClient, err := dynamic.NewForConfigAndClient(mgr.GetConfig(), mgr.GetHTTPClient())
	if err != nil {
		return nil, err
	}
	r := &restrictionReconciler{
		reader: mgr.GetClient(), assessor: assessor, tally: tally, maxMode: options.MaxRestriction,
		changes: reconcile.NewTrigger(allRestrictions), products: products,
		latest: &restrictionPlan{}, outcomes: map[string]restrictionOutcome{},
	}
	r.policies = newTierPolicies(dynamicClient, options.Namespace, r.planAgain)
	enforcer := enforcement.New(dynamicClient, options.Namespace)
	carriedOut := func() { r.planAgain(reconcile.CacheDelay) }
	r.passes = &passPolicyReconciler{
		enforcer: enforcer, changes: reconcile.NewTrigger(), changed: carriedOut, results: map[string]tierResult{},
		workIn: func(tier string) (tierWork, bool) { work, wanted := r.plan().work[tier]; return work, wanted },
	}
	r.locks = &lockReconciler{
		enforcer: enforcer, changes: reconcile.NewTrigger(), changed: carriedOut, proofs: map[string]lockProof{},
		noticesIn: func(tier string) []string { return r.plan().notices[tier] },
	}
	return r, nil
}

// plan is the latest.
func (r *restrictionReconciler) plan() *restrictionPlan {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.latest
}

// planAgain has the restrictions planned again after a while, or sooner.
func (r *restrictionReconciler) planAgain(after time.Duration) { r.changes.Add(allRestrictions, after) }

// caps are those of all products.
func (r *restrictionReconciler) caps() restriction.Caps {
	return restriction.Caps{MaxMode: r.maxMode, WindowsNode: r.tally.hasWindows(),
		OperatorNamespace: r.assessor.namespace}
}

// outcomeOf is what the restriction of a product, as it is now, comes to; nil where that has yet to be seen.
func (r *restrictionReconciler) outcomeOf(product *api.LicensedProduct) *restrictionOutcome {
	r.mu.Lock()
	defer r.mu.Unlock()
	if outcome, ok := r.outcomes[product.Name]; ok && outcome.product == product.UID &&
		outcome.generation == product.Generation {
		return &outcome
	}
	return nil
}

// Reconcile plans all restrictions, and has the plan carried out.
func (r *restrictionReconciler) Reconcile(ctx context.Context, _ ctrl.Request) (ctrl.Result, error) {
	if !r.tally.isReady() || !r.policies.isDecided() {
		return ctrl.Result{RequeueAfter: reconcile.CacheDelay}, nil
	}
	products, err := r.everyProduct(ctx)
	if err != nil {
		return ctrl.Result{}, err
	}
	seen, existing, tiersErr, globalErr, namespacedErr := r.policies.look()
	if errors.Is(namespacedErr, errNotInstalled) {
		namespacedErr = nil // There are no policies of a kind that there is not.
	}
	if isPending(tiersErr) || isPending(globalErr) || isPending(namespacedErr) {
		return ctrl.Result{}, nil // When it is known this is called again.
	}
	plan := makeRestrictionPlan(seen, existing, products, r.caps())
	plan.unseen = errors.Join(tiersErr, globalErr, namespacedErr)
	plan.keepToWhatIsSeen(tiersErr, globalErr)
	plan.settle()
	r.mu.Lock()
	r.latest = plan
	r.mu.Unlock()
	r.passes.planned(plan.work)
	r.locks.planned(plan.notices)
	r.keep(r.outcomesOf(plan))
	return ctrl.Result{}, nil
}

// isGone tells whether an obstacle is that the cluster has no such kind, and with it none of its objects.
func isGone(obstacle error) bool {
	return errors.Is(obstacle, errNotInstalled) && !errors.Is(obstacle, errNotServed)
}

// makeRestrictionPlan plans what the restrictions of products come to. A restriction that is due and has not been
// announced is not due yet: the state comes first. But what a product is known to restrict by the pass policies that it
// owns stays so, should its status be lost.
func makeRestrictionPlan(
	seen restriction.Seen, existing map[string]*enforcement.Existing, products []restrictingProduct,
	caps restriction.Caps,
) *restrictionPlan {
	plan := &restrictionPlan{products: products, existing: existing}
	planned := make([]restriction.Product, 0, len(products))
	for i := range products {
		p := &products[i]
		if p.Since.IsZero() && (p.Due || p.Disputed) {
			p.Since = plan.ownedSince(p)
			p.Due, p.Disputed = !p.Since.IsZero(), false
		}
		planned = append(planned, p.Product)
	}
	plan.Plan = restriction.MakePlan(seen, planned, caps)
	return plan
}

// ownedSince is since when a product restricts a tier, by the annotation of a pass policy that it owns; zero: it owns
// none.
func (p *restrictionPlan) ownedSince(product *restrictingProduct) time.Time {
	for _, existing := range p.existing {
		for _, owner := range existing.Owners {
			if owner.UID != product.object.UID {
				continue
			}
			if since, err := time.Parse(time.RFC3339, existing.Annotations[calico.SinceAnnotation]); err == nil {
				return since
			}
			return product.EffectiveTime
		}
	}
	return time.Time{}
}

// keepToWhatIsSeen takes out of a plan what nobody can know. Without the global policies there is nothing to write:
// what is there already, and whose? Without the tiers nothing is restricted that was not, and what is restricted stays
// so; but what no product wants any more can go all the same.
func (p *restrictionPlan) keepToWhatIsSeen(tiersErr, globalErr error) {
	switch {
	case globalErr != nil:
		p.Tiers, p.Delete = nil, nil
	case tiersErr != nil && !isGone(tiersErr):
		p.Tiers = nil
		p.Delete = slices.DeleteFunc(p.Delete, func(name string) bool {
			return slices.ContainsFunc(p.Products,
				func(product restriction.ProductPlan) bool { return product.InForce && p.isOwner(product.Name, name) })
		})
	}
}

func (p *restrictionPlan) isOwner(product, policy string) bool {
	existing := p.existing[policy]
	return existing != nil &&
		slices.ContainsFunc(existing.Owners, func(owner metav1.OwnerReference) bool {
			return isProduct(&owner, product)
		})
}

// settle finds out what has to be done for the plan, and which locks have to be proved.
func (p *restrictionPlan) settle() {
	uids := map[string]types.UID{}
	for _, product := range p.products {
		uids[product.Name] = product.object.UID
	}
	p.work = workOf(&p.Plan, p.existing, uids)
	p.notices = map[string][]string{}
	for i := range p.Products {
		if tier := lockedTier(&p.Products[i]); tier != "" && p.notices[tier] == nil {
			p.notices[tier] = p.noticesIn(tier)
		}
	}
}

// lockedTier is a tier in which the lock has to refuse something for that product; empty: none.
func lockedTier(plan *restriction.ProductPlan) string {
	if !plan.InForce || len(plan.Affects) == 0 {
		return ""
	}
	return plan.Affects[0].Tier
}

// noticesIn are those of all products that have a restriction in force in a tier: of several that refuse the same the
// API server quotes one, whichever that is.
func (p *restrictionPlan) noticesIn(tier string) []string {
	var notices []string
	for i, product := range p.products {
		plan := &p.Products[i]
		if plan.InForce &&
			slices.ContainsFunc(plan.Affects, func(e restriction.TierEffect) bool { return e.Tier == tier }) {
			notices = append(notices, product.Notice(product.Since))
		}
	}
	return notices
}

// restrictingProduct is a product, with what its restriction is planned by.
type restrictingProduct struct {
	restriction.Product
	object *api.LicensedProduct
}

// everyProduct are all products, in the order of their names, as plans have them.
func (r *restrictionReconciler) everyProduct(ctx context.Context) ([]restrictingProduct, error) {
	var products api.LicensedProductList
	if err := r.reader.List(ctx, &products, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("listing LicensedProducts in the cache: %w", err)
	}
	all := make([]restrictingProduct, 0, len(products.Items))
	for i := range products.Items {
		found := &assessment{product: &products.Items[i]}
		if found.product.Spec.Restriction != nil {
			var err error
			if found, err = r.assessor.assess(ctx, products.Items[i].Name); err != nil {
				return nil, err
			}
			if found.product == nil {
				continue // It is gone by now.
			}
		}
		p := restrictingProduct{Product: restriction.ProductOf(found.product, &found.evaluation), object: found.product}
		if mode := announced(found.product).Mode; mode != "" {
			// A stronger mode is announced first, too.
			p.Mode = restriction.Gentler(p.Mode, mode)
		}
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b restrictingProduct) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}

// keep remembers outcomes, and has the products looked at that they are news to.
func (r *restrictionReconciler) keep(outcomes map[string]restrictionOutcome) {
	r.mu.Lock()
	before := r.outcomes
	r.outcomes = outcomes
	r.mu.Unlock()
	for name, outcome := range outcomes {
		if was, ok := before[name]; !ok || !reflect.DeepEqual(was, outcome) {
			r.products.Add(name, reconcile.CacheDelay)
		}
	}
}

// outcomesOf are what has come of each product's restriction.
func (r *restrictionReconciler) outcomesOf(plan *restrictionPlan) map[string]restrictionOutcome {
	outcomes := map[string]restrictionOutcome{}
	for i, p := range plan.products {
		product := &plan.Products[i]
		outcome := restrictionOutcome{product: p.object.UID, generation: p.object.Generation, mode: product.Mode,
			inForce: product.InForce}
		if plan.unseen == nil || isGone(plan.unseen) {
			outcome.effects = new(product.Effects())
		}
		outcome.reason, outcome.message, outcome.isProving = r.readiness(plan, product)
		outcomes[p.Name] = outcome
	}
	return outcomes
}

// readiness is the reason and the message of the condition RestrictionReady, the first that holds, what is worse before
// what is less; and whether nothing but the lock has yet to be proved.
func (r *restrictionReconciler) readiness(
	plan *restrictionPlan, product *restriction.ProductPlan,
) (reason, message string, isProving bool) {
	switch {
	case errors.Is(plan.unseen, errNotServed):
		return api.ReasonAPINotInstalled, "The cluster does not serve its network policy tiers " +
			"(projectcalico.org/v3), or not all of that API. What is in force stays so meanwhile.", false
	case errors.Is(plan.unseen, errNotInstalled):
		return api.ReasonAPINotInstalled, "The cluster has no network policy tiers (projectcalico.org/v3), or not " +
			"all of that API: there is nothing to restrict. " +
			"Should it come, what is asked for happens within seconds.", false
	case isForbiddenByRBAC(plan.unseen):
		return api.ReasonForbidden,
			fmt.Sprintf("The operator may not see all tiers and policies: %s. Grant it what config/rbac does.",
				inALine(plan.unseen)), false
	case plan.unseen != nil:
		return api.ReasonApplyFailed,
			fmt.Sprintf("The operator cannot see all tiers and policies: %s.", inALine(plan.unseen)), false
	}
	pending, failures, first := r.progressOf(plan, product)
	bypasses := product.Bypasses()
	switch {
	case failures > 0 && isForbiddenByRBAC(first):
		return api.ReasonForbidden, fmt.Sprintf("The operator may not keep the pass policies (tiers concerned: %d): "+
			"%s. Grant it what config/rbac does.", failures, inALine(first)), false
	case failures > 0:
		return api.ReasonApplyFailed,
			fmt.Sprintf("Pass policies are not as they have to be (tiers concerned: %d): %s. The operator goes on "+
				"trying.", failures, inALine(first)), false
	case pending:
		return api.ReasonApplying, applyingMessage, false
	}
	if tier := lockedTier(product); tier != "" {
		switch proof := r.locks.proofFor(tier, plan.notices[tier]); {
		case proof.isWanting():
			message = fmt.Sprintf("What the restriction refuses is not refused: %s. Install config/admission, or "+
				"run the operator with --manage-admission-policies.", inALine(proof.err))
			if bypasses != nil {
				message += " " + stillAppliedMessage
			}
			return api.ReasonLockNotInForce, message, false
		case proof.err != nil:
			return api.ReasonApplying, applyingMessage, true
		}
	}
	switch {
	case product.InForce && bypasses != nil:
		return api.ReasonBypassed, stillAppliedMessage, false
	case product.InForce && len(product.Affects) > api.MaxListedTiers:
		return api.ReasonLockNotInForce, fmt.Sprintf("The restriction is in force in %d tiers, and the lock in the "+
			"first %d of them. A tierSelector that selects fewer would help.",
			len(product.Affects), api.MaxListedTiers), false
	case product.InForce:
		return api.ReasonComplete, "Everything is as the restriction wants it.", false
	default:
		return api.ReasonComplete, "Nothing is restricted, and nothing is left of any restriction.", false
	}
}

const (
	stillAppliedMessage = "Policies go on being applied to pods: status.restriction.bypasses says which, and why."
	applyingMessage     = "It is on its way: what has to be written is being written, and the API server asked " +
		"whether it refuses what it has to."
)

// progressOf tells whether something is still to be done in tiers that concern a product, those that it selects or once
// restricted, and in how many of them that has failed.
func (r *restrictionReconciler) progressOf(
	plan *restrictionPlan, product *restriction.ProductPlan,
) (pending bool, failures int, first error) {
	concerned := map[string]bool{}
	for i := range product.Affects {
		concerned[product.Affects[i].Tier] = true
	}
	for name, existing := range plan.existing {
		if plan.isOwner(product.Name, name) {
			concerned[existing.Tier] = true
		}
	}
	for _, tier := range slices.Sorted(maps.Keys(plan.work)) {
		if !concerned[tier] {
			continue
		}
		result, known := r.passes.resultOf(tier)
		switch {
		case known && result.err != nil:
			if failures++; first == nil {
				first = result.err
			}
		case !known || !reflect.DeepEqual(result.work, plan.work[tier]):
			pending = true
		}
	}
	return pending, failures, first
}

// addresses are the two ends of a connection, of which one is another each time.
var addresses = regexp.MustCompile(` \S+:\d+->\S+:\d+`)

// inALine is an error as a part of a sentence, and the same for the same failure: several that are joined have a line
// each, and those of connections have their ports.
func inALine(err error) string {
	return addresses.ReplaceAllString(strings.ReplaceAll(err.Error(), "\n", "; "), "")
}

func (r *restrictionReconciler) setup(mgr ctrl.Manager) error {
	all := handler.EnqueueRequestsFromMapFunc(func(context.Context, client.Object) []ctrl.Request {
		return []ctrl.Request{reconcile.Request(allRestrictions)}
	})
	return reconcile.NewController(mgr, "restriction", reconcile.Options{}).
		Watches(&api.LicensedProduct{}, all,
			builder.WithPredicates(predicate.Or(predicate.GenerationChangedPredicate{}, restrictionChanged))).
		WatchesRawSource(r.changes).
		Complete(r)
}

// restrictionChanged lets those changes of a product pass that its restriction may follow from.
var restrictionChanged = predicate.Funcs{
	UpdateFunc: func(e event.UpdateEvent) bool {
		before, wasProduct := e.ObjectOld.(*api.LicensedProduct)
		after, isProduct := e.ObjectNew.(*api.LicensedProduct)
		if !wasProduct || !isProduct {
			return false
		}
		return before.DeletionTimestamp.IsZero() != after.DeletionTimestamp.IsZero() ||
			!equality.Semantic.DeepEqual(announced(before), announced(after))
	},
}

// announced is what the status of a product says about when it restricts, and how; empty: it does not.
func announced(product *api.LicensedProduct) (inForce api.RestrictionInForce) {
	if status := product.Status.Restriction; status != nil && status.InForce != nil {
		inForce.SinceTime, inForce.Mode = status.InForce.SinceTime, status.InForce.Mode
	}
	return inForce
}
