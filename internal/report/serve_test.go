// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package report

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/semaphore"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	apiversion "k8s.io/apimachinery/pkg/version"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/license-operator/license-operator/internal/clock"
)

// lister is a reader that only lists.
type lister struct {
	client.Reader
	list func(ctx context.Context, list client.ObjectList, options *client.ListOptions) error
}

func (l lister) List(ctx context.Context, list client.ObjectList, options ...client.ListOption) error {
	return l.list(ctx, list, (&client.ListOptions{}).ApplyOptions(options))
}

func failing(err error) lister {
	return lister{list: func(context.Context, client.ObjectList, *client.ListOptions) error { return err }}
}

// empty is a cluster with nothing in it.
func empty() lister { return failing(nil) }

// server is an API server that says its version, or that it will not.
type server struct{ err error }

func (s server) ServerVersionWithContext(context.Context) (*apiversion.Info, error) {
	return &apiversion.Info{GitVersion: "v1.37.2"}, s.err
}

func newTestHandler(log logr.Logger, cached client.Reader) *Handler {
	return &Handler{
		log: log, cache: cached, surveyor: &surveyor{reader: empty(), version: server{}},
		turns: semaphore.NewWeighted(maxAtOnce), errorLog: newErrorLog(),
		clock: clock.New(func() clock.Sample { return clock.Sample{Wall: present} }),
	}
}

// A caller is told that there is no report, also one whose request ends since the operator stops, or who has closed
// that half of the connection which it is done with.
func TestNobodyGetsAnEmptyReport(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	lines := 0
	h := newTestHandler(funcr.New(func(string, string) { lines++ }, funcr.Options{}), failing(ctx.Err()))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, Path, http.NoBody))
	if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") != "5" {
		t.Errorf("got %d: %s", w.Code, w.Body)
	}
	if lines > 0 {
		t.Errorf("%d lines in the log, for the end of a request", lines)
	}
}

// While the same trouble lasts the log says so now and then, and not for each request.
func TestTroubleIsLoggedNowAndThen(t *testing.T) {
	lines := 0
	h := newTestHandler(funcr.New(func(string, string) { lines++ }, funcr.Options{}),
		failing(errors.New("connection refused")))
	for range 1000 {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, Path, http.NoBody))
		if w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), "see the operator's log") {
			t.Fatalf("got %d: %s", w.Code, w.Body)
		}
	}
	if lines != 1 {
		t.Errorf("%d lines for 1000 requests", lines)
	}
}

func TestAnOperatorThatStartsSaysSo(t *testing.T) {
	for _, err := range []error{&cache.ErrCacheNotStarted{}, &cache.ErrResourceNotCached{}} {
		lines := 0
		h := newTestHandler(funcr.New(func(string, string) { lines++ }, funcr.Options{}), failing(err))
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, Path, http.NoBody))
		if lines > 0 || w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), "is starting") {
			t.Errorf("%T: %d lines, and %d: %s", err, lines, w.Code, w.Body)
		}
	}
}

// However many ask, no more than a few reports are in memory.
func TestReportsTakeTurns(t *testing.T) {
	var now atomic.Int64
	var mu sync.Mutex
	var most int64
	released := make(chan struct{})
	h := newTestHandler(logr.Discard(),
		lister{list: func(context.Context, client.ObjectList, *client.ListOptions) error {
			n := now.Add(1)
			defer now.Add(-1)
			mu.Lock()
			most = max(most, n)
			mu.Unlock()
			<-released
			return nil
		}})
	var callers sync.WaitGroup
	for range 20 {
		callers.Go(func() {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, Path, http.NoBody))
			if w.Code != http.StatusOK {
				t.Errorf("got %d: %s", w.Code, w.Body)
			}
		})
	}
	close(released)
	callers.Wait()
	if most > maxAtOnce {
		t.Errorf("%d at once", most)
	}
}

// reluctant is a caller whose connection knows deadlines.
type reluctant struct {
	*httptest.ResponseRecorder
	deadline time.Time
}

func (r *reluctant) SetWriteDeadline(deadline time.Time) error {
	r.deadline = deadline
	return nil
}

func TestACallerHasToReadInTime(t *testing.T) {
	w := &reluctant{ResponseRecorder: httptest.NewRecorder()}
	before := time.Now()
	newTestHandler(logr.Discard(), empty()).ServeHTTP(w, httptest.NewRequest(http.MethodGet, Path, http.NoBody))
	if w.Code != http.StatusOK || w.deadline.Before(before.Add(writeTimeout)) ||
		w.deadline.After(time.Now().Add(writeTimeout)) {
		t.Errorf("got %d, and a deadline %s from then", w.Code, w.deadline.Sub(before))
	}
	if writeTimeout >= waitTimeout {
		t.Error("those who do not read keep others out")
	}
}

// bindings is a cluster with role bindings, which it gives out one at a time.
func bindings(count int) lister {
	return lister{list: func(_ context.Context, list client.ObjectList, options *client.ListOptions) error {
		switch bound := list.(type) {
		case *rbacv1.RoleBindingList:
			bound.Items = []rbacv1.RoleBinding{{Subjects: []rbacv1.Subject{
				{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: "everywhere"},
				{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: "user" + options.Continue},
			}}}
			if len(options.Continue) < count-1 {
				bound.Continue = options.Continue + "x"
			}
		case *rbacv1.ClusterRoleBindingList:
			bound.Items = []rbacv1.ClusterRoleBinding{{Subjects: []rbacv1.Subject{
				{Kind: rbacv1.GroupKind, APIGroup: rbacv1.GroupName, Name: "everywhere"},
				{Kind: rbacv1.ServiceAccountKind, Namespace: "tools", Name: "robot"},
				{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: "system:serviceaccount:tools:robot"},
			}}}
		}
		return nil
	}}
}

func TestUsersAreCountedOnce(t *testing.T) {
	users, err := (&surveyor{reader: bindings(3)}).countUsers(t.Context())
	// Of the role bindings everywhere and three more; the group of that name; and the robot, which is called two
	// things.
	if err != nil || users != 6 {
		t.Errorf("got %d, %v", users, err)
	}
}

func TestWhatTheOperatorMayNotAskIsMissing(t *testing.T) {
	forbidden := apierrors.NewForbidden(schema.GroupResource{Resource: "namespaces"}, "",
		errors.New("system:serviceaccount:secret:operator may not"))
	got, err := (&surveyor{reader: failing(forbidden), version: server{forbidden}}).survey(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := Cluster{Warnings: []string{
		"kubernetes_version and db_version: missing, since the operator is not allowed to get /version.",
		"workspaces_count: missing, since the operator is not allowed to list namespaces.",
		"rbac_users: missing, since the operator is not allowed to list rolebindings and clusterrolebindings.",
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	for name, s := range map[string]*surveyor{
		"no version": {reader: empty(), version: server{errors.New("away")}},
		"no lists":   {reader: failing(errors.New("away")), version: server{}},
	} {
		if _, err := s.survey(t.Context()); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
