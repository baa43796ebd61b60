// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package access

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	"github.com/google/go-cmp/cmp"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	clocktesting "k8s.io/utils/clock/testing"
)

const (
	noToken = "No valid bearer token: send one header \"Authorization: Bearer TOKEN\" with the token of a " +
		"ServiceAccount (kubectl create token).\n"
	unknownToken = "The API server rejected the bearer token: it has expired, its account was deleted, or it is for " +
		"another cluster or audience. Send a new one.\n"
	notAllowed = "User \"stranger\" cannot get nonResourceURL \"/metrics\": bind it to a ClusterRole that allows it.\n"
	tooMany    = "Too many requests: retry in 1 second.\n"
	cannotAsk  = "Cannot ask the API server for authentication and authorization: see the operator's log, then retry.\n"
)

// answer is all of a response that matters.
type answer struct {
	Code                        int
	Challenge, RetryAfter, Type string
	Body                        string
}

func plain(code int, body string) answer {
	return answer{Code: code, Type: "text/plain; charset=utf-8", Body: body}
}

var (
	passed          = answer{Code: http.StatusOK, Type: "text/plain", Body: "served"}
	unauthenticated = answer{
		Code: http.StatusUnauthorized, Challenge: "Bearer", Type: "text/plain; charset=utf-8",
		Body: unknownToken,
	}
	withoutToken = answer{
		Code: http.StatusUnauthorized, Challenge: "Bearer", Type: "text/plain; charset=utf-8",
		Body: noToken,
	}
	denied    = plain(http.StatusForbidden, notAllowed)
	notAsked  = plain(http.StatusServiceUnavailable, cannotAsk)
	throttled = answer{
		Code: http.StatusTooManyRequests, RetryAfter: "1", Type: "text/plain; charset=utf-8",
		Body: tooMany,
	}
)

// asked is how often the API server was asked.
type asked struct{ Tokens, Rights int }

// world is an API server, a gate that asks it, and time.
type world struct {
	*clocktesting.FakePassiveClock
	handler http.Handler
	gate    *gate
	log     *record

	mu sync.Mutex
	// users are those of tokens; allowed are their names.
	users   map[string]authenticationv1.UserInfo
	allowed map[string]bool
	// statusOfReview changes the answer to a TokenReview, statusOfRights to a SubjectAccessReview.
	statusOfReview func(*authenticationv1.TokenReviewStatus)
	statusOfRights func(*authorizationv1.SubjectAccessReviewStatus)
	// instead answers in place of the API server, by resource.
	instead map[string]http.HandlerFunc
	asked   asked
	// rights are the SubjectAccessReviews.
	rights []authorizationv1.SubjectAccessReviewSpec
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{
		FakePassiveClock: clocktesting.NewFakePassiveClock(time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)),
		log:              &record{},
		users: map[string]authenticationv1.UserInfo{
			"good":    {Username: "scraper"},
			"strange": {Username: "stranger"},
		},
		allowed: map[string]bool{"scraper": true},
		instead: map[string]http.HandlerFunc{},
	}
	server := httptest.NewServer(http.HandlerFunc(w.serve))
	t.Cleanup(server.Close)
	w.connect(t, server.URL)
	return w
}

// connect makes a gate that asks what is at an address.
func (w *world) connect(t *testing.T, url string) {
	t.Helper()
	var err error
	if w.gate, err = newGate(&rest.Config{Host: url}, &http.Client{}, w.FakePassiveClock); err != nil {
		t.Fatal(err)
	}
	w.handler = w.gate.filter(w.log.logger(), http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "text/plain")
		_, _ = rw.Write([]byte("served"))
	}))
}

func (w *world) serve(rw http.ResponseWriter, r *http.Request) {
	resource := r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]
	w.mu.Lock()
	if resource == "tokenreviews" {
		w.asked.Tokens++
	} else {
		w.asked.Rights++
	}
	instead := w.instead[resource]
	w.mu.Unlock()
	if instead != nil {
		instead(rw, r)
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	var reply any
	switch r.Method + " " + r.URL.Path {
	case "POST /apis/authentication.k8s.io/v1/tokenreviews":
		var review authenticationv1.TokenReview
		_ = json.NewDecoder(r.Body).Decode(&review)
		user, known := w.users[review.Spec.Token]
		review.Status = authenticationv1.TokenReviewStatus{Authenticated: known, User: user}
		if !known {
			review.Status.Error = "[invalid bearer token, no such token " + review.Spec.Token + "]"
		}
		if w.statusOfReview != nil {
			w.statusOfReview(&review.Status)
		}
		reply = review
	case "POST /apis/authorization.k8s.io/v1/subjectaccessreviews":
		var review authorizationv1.SubjectAccessReview
		_ = json.NewDecoder(r.Body).Decode(&review)
		w.rights = append(w.rights, review.Spec)
		review.Status.Allowed = w.allowed[review.Spec.User]
		if w.statusOfRights != nil {
			w.statusOfRights(&review.Status)
		}
		reply = review
	default:
		http.NotFound(rw, r)
		return
	}
	rw.Header().Set("Content-Type", "application/json")
	rw.WriteHeader(http.StatusCreated)
	_ = json.NewEncoder(rw).Encode(reply)
}

// failing has the API server answer questions about a resource with an error, as it does, or as it did where code is 0.
func (w *world) failing(resource string, code int, reason metav1.StatusReason) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if code == 0 {
		delete(w.instead, resource)
		return
	}
	w.instead[resource] = func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "application/json")
		rw.Header().Set("Retry-After", "1")
		rw.WriteHeader(code)
		_ = json.NewEncoder(rw).Encode(metav1.Status{
			TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"},
			Status:   metav1.StatusFailure, Code: int32(code), Reason: reason,
			Message: resource + ": " + string(reason),
		})
	}
}

func (w *world) count() asked {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.asked
}

func (w *world) pass(d time.Duration) { w.SetTime(w.Now().Add(d)) }

func (w *world) do(r *http.Request) answer {
	recorder := httptest.NewRecorder()
	w.handler.ServeHTTP(recorder, r)
	h := recorder.Header()
	return answer{
		Code: recorder.Code, Challenge: h.Get("WWW-Authenticate"), RetryAfter: h.Get("Retry-After"),
		Type: h.Get("Content-Type"), Body: recorder.Body.String(),
	}
}

// get gets /metrics with the values of the header Authorization.
func (w *world) get(authorization ...string) answer { return w.do(request(authorization...)) }

func request(authorization ...string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/metrics", http.NoBody)
	for _, value := range authorization {
		r.Header.Add("Authorization", value)
	}
	return r
}

// expect compares an answer, and how often the API server has been asked by then.
func (w *world) expect(t *testing.T, when string, got, want answer, tokens, rights int) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", when, diff)
	}
	if diff := cmp.Diff(asked{tokens, rights}, w.count()); diff != "" {
		t.Errorf("%s: questions to the API server (-want +got):\n%s", when, diff)
	}
}

// record is a log.
type record struct {
	mu    sync.Mutex
	lines []string
}

// logger logs into the record, with debug levels: {"logger":"","level":1,…} or, for an error,
// {"logger":"","msg":…,"error":…}.
func (l *record) logger() logr.Logger {
	return funcr.NewJSON(func(line string) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.lines = append(l.lines, line)
	}, funcr.Options{Verbosity: 9})
}

// loud are the lines above debug level.
func (l *record) loud() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var found []string
	for _, line := range l.lines {
		if !strings.Contains(line, `"level":1,`) {
			found = append(found, line)
		}
	}
	return found
}

func (l *record) all() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.lines, "\n")
}

func TestHeaders(t *testing.T) {
	long := strings.Repeat("a", maxToken)
	for name, test := range map[string]struct {
		values []string
		token  string
	}{
		"none":                    {nil, ""},
		"empty":                   {[]string{""}, ""},
		"a space":                 {[]string{" "}, ""},
		"scheme alone":            {[]string{"Bearer"}, ""},
		"scheme and a space":      {[]string{"Bearer "}, ""},
		"scheme and many spaces":  {[]string{"Bearer    "}, ""},
		"no scheme":               {[]string{"good"}, ""},
		"no space":                {[]string{"Bearergood"}, ""},
		"another scheme":          {[]string{"Basic Z29vZDpnb29k"}, ""},
		"a space before":          {[]string{" Bearer good"}, ""},
		"a tab between":           {[]string{"Bearer\tgood"}, ""},
		"two tokens":              {[]string{"Bearer good strange"}, ""},
		"two schemes":             {[]string{"Bearer good, Bearer good"}, ""},
		"two headers":             {[]string{"Bearer good", "Bearer good"}, ""},
		"two headers, one empty":  {[]string{"Bearer good", ""}, ""},
		"a space after":           {[]string{"Bearer good "}, ""},
		"a newline":               {[]string{"Bearer good\nX: y"}, ""},
		"a NUL":                   {[]string{"Bearer good\x00"}, ""},
		"quotes":                  {[]string{`Bearer "good"`}, ""},
		"not ASCII":               {[]string{"Bearer góod"}, ""},
		"not UTF-8":               {[]string{"Bearer good\xff"}, ""},
		"scheme not ASCII":        {[]string{"Bearer\u00a0good"}, ""},
		"folds to the scheme":     {[]string{"Bea\u0280er good"}, ""},
		"padding alone":           {[]string{"Bearer =="}, ""},
		"padding within":          {[]string{"Bearer go=od"}, ""},
		"too long":                {[]string{"Bearer " + long + "a"}, ""},
		"1 MB":                    {[]string{"Bearer " + strings.Repeat("a", 1<<20)}, ""},
		"1 MB of spaces":          {[]string{"Bearer" + strings.Repeat(" ", 1<<20)}, ""},
		"1 MB of scheme":          {[]string{strings.Repeat("Bearer", 1<<18)}, ""},
		"as it should be":         {[]string{"Bearer good"}, "good"},
		"small letters":           {[]string{"bearer good"}, "good"},
		"capitals":                {[]string{"BEARER good"}, "good"},
		"more spaces":             {[]string{"Bearer   good"}, "good"},
		"all that a token may be": {[]string{"Bearer azAZ09-._~+/=="}, "azAZ09-._~+/=="},
		"as long as it may be":    {[]string{"Bearer " + long}, long},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			delete(w.users, "good")
			w.users[test.token] = authenticationv1.UserInfo{Username: "scraper"}
			if test.token == "" {
				w.expect(t, "answer", w.get(test.values...), withoutToken, 0, 0)
			} else {
				w.expect(t, "answer", w.get(test.values...), passed, 1, 1)
			}
			if loud := w.log.loud(); len(loud) > 0 {
				t.Errorf("logged %q", loud)
			}
		})
	}
}

func TestDecisionsAreCached(t *testing.T) {
	const moment = time.Nanosecond
	t.Run("allowed", func(t *testing.T) {
		w := newWorld(t)
		w.expect(t, "first", w.get("Bearer good"), passed, 1, 1)
		w.expect(t, "again", w.get("Bearer good"), passed, 1, 1)
		w.pass(authenticatedFor - moment)
		w.expect(t, "for a minute", w.get("Bearer good"), passed, 1, 1)
		w.pass(moment)
		w.expect(t, "the token anew", w.get("Bearer good"), passed, 2, 1)
		w.pass(allowedFor - authenticatedFor - moment)
		w.expect(t, "the right for five minutes", w.get("Bearer good"), passed, 3, 1)
		w.pass(moment)
		w.expect(t, "the right anew", w.get("Bearer good"), passed, 3, 2)
	})
	t.Run("unknown", func(t *testing.T) {
		w := newWorld(t)
		w.expect(t, "first", w.get("Bearer bad"), unauthenticated, 1, 0)
		w.users["bad"] = authenticationv1.UserInfo{Username: "scraper"}
		w.pass(unauthenticatedFor - moment)
		w.expect(t, "for ten seconds", w.get("Bearer bad"), unauthenticated, 1, 0)
		w.pass(moment)
		w.expect(t, "known since", w.get("Bearer bad"), passed, 2, 1)
		delete(w.users, "bad")
		w.pass(authenticatedFor)
		w.expect(t, "no longer", w.get("Bearer bad"), unauthenticated, 3, 1)
		w.expect(t, "and that is remembered", w.get("Bearer bad"), unauthenticated, 3, 1)
	})
	t.Run("denied", func(t *testing.T) {
		w := newWorld(t)
		w.expect(t, "first", w.get("Bearer strange"), denied, 1, 1)
		w.allowed["stranger"] = true
		w.pass(deniedFor - moment)
		w.expect(t, "for thirty seconds", w.get("Bearer strange"), denied, 1, 1)
		w.pass(moment)
		w.expect(t, "bound since", w.get("Bearer strange"), passed, 1, 2)
		delete(w.allowed, "stranger")
		w.pass(allowedFor)
		w.expect(t, "no longer", w.get("Bearer strange"), denied, 2, 3)
	})
	t.Run("of one token and one question alone", func(t *testing.T) {
		w := newWorld(t)
		w.users["other"] = w.users["good"]
		w.expect(t, "first", w.get("Bearer good"), passed, 1, 1)
		w.expect(t, "another token of the same user", w.get("Bearer other"), passed, 2, 1)
		post := httptest.NewRequest(http.MethodPost, "/metrics", http.NoBody)
		post.Header.Set("Authorization", "Bearer good")
		w.expect(t, "another method", w.do(post), passed, 2, 2)
		report := httptest.NewRequest(http.MethodGet, "/license/report", http.NoBody)
		report.Header.Set("Authorization", "Bearer good")
		w.expect(t, "another path", w.do(report), passed, 2, 3)
		w.users["other"] = authenticationv1.UserInfo{Username: "scraper", Groups: []string{"more"}}
		w.pass(authenticatedFor)
		w.expect(t, "another group", w.get("Bearer other"), passed, 3, 4)
	})
}

func TestQuestions(t *testing.T) {
	w := newWorld(t)
	w.users["good"] = authenticationv1.UserInfo{
		Username: "scraper", UID: "uid", Groups: []string{"a", "b"},
		Extra: map[string]authenticationv1.ExtraValue{"pod": {"x", "y"}},
	}
	r := httptest.NewRequest(http.MethodPut, "/license/report?of=acme", http.NoBody)
	r.Header.Set("Authorization", "Bearer good")
	w.expect(t, "answer", w.do(r), passed, 1, 1)
	want := []authorizationv1.SubjectAccessReviewSpec{{
		User: "scraper", UID: "uid", Groups: []string{"a", "b"},
		Extra:                 map[string]authorizationv1.ExtraValue{"pod": {"x", "y"}},
		NonResourceAttributes: &authorizationv1.NonResourceAttributes{Path: "/license/report", Verb: "put"},
	}}
	if diff := cmp.Diff(want, w.rights); diff != "" {
		t.Errorf("questions (-want +got):\n%s", diff)
	}
}

func TestOddAnswers(t *testing.T) {
	t.Run("a user without a name", func(t *testing.T) {
		w := newWorld(t)
		w.users["good"] = authenticationv1.UserInfo{}
		w.expect(t, "answer", w.get("Bearer good"), unauthenticated, 1, 0)
	})
	t.Run("a user who was not authenticated", func(t *testing.T) {
		w := newWorld(t)
		w.statusOfReview = func(s *authenticationv1.TokenReviewStatus) { s.Authenticated = false }
		w.expect(t, "answer", w.get("Bearer good"), unauthenticated, 1, 0)
	})
	t.Run("allowed and denied", func(t *testing.T) {
		w := newWorld(t)
		w.statusOfRights = func(s *authorizationv1.SubjectAccessReviewStatus) { s.Denied = true }
		w.users["good"] = w.users["strange"]
		w.allowed["stranger"] = true
		w.expect(t, "answer", w.get("Bearer good"), denied, 1, 1)
	})
	t.Run("an error while evaluating", func(t *testing.T) {
		w := newWorld(t)
		w.statusOfRights = func(s *authorizationv1.SubjectAccessReviewStatus) { s.EvaluationError = "no such role" }
		w.expect(t, "one that stands in no way", w.get("Bearer good"), passed, 1, 1)
		w.expect(t, "one that does", w.get("Bearer strange"), denied, 2, 2)
	})
	t.Run("an empty answer", func(t *testing.T) {
		w := newWorld(t)
		w.instead["tokenreviews"] = func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(http.StatusCreated) }
		w.expect(t, "answer", w.get("Bearer good"), notAsked, 1, 0)
	})
	t.Run("another kind in answer", func(t *testing.T) {
		w := newWorld(t)
		w.instead["tokenreviews"] = func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Content-Type", "application/json")
			_, _ = rw.Write(
				[]byte(`{"apiVersion":"v1","kind":"Secret","status":{"authenticated":true,` +
					`"user":{"username":"scraper"}}}`))
		}
		w.expect(t, "answer", w.get("Bearer good"), unauthenticated, 1, 0)
	})
}

func TestWhereTheAPIServerCannotBeAsked(t *testing.T) {
	const (
		forbiddenAdvice    = "apply config/rbac: its ClusterRole metrics-auth-role allows the operator to ask"
		unauthorizedAdvice = "check that the operator's ServiceAccount exists, then delete the pod to get a new token"
		unavailableAdvice  = "check that the API server is healthy and reachable from the operator's pod"
	)
	for _, test := range []struct {
		code   int
		reason metav1.StatusReason
		advice string
	}{
		{http.StatusForbidden, metav1.StatusReasonForbidden, forbiddenAdvice},
		{http.StatusUnauthorized, metav1.StatusReasonUnauthorized, unauthorizedAdvice},
		{http.StatusTooManyRequests, metav1.StatusReasonTooManyRequests, unavailableAdvice},
		{http.StatusInternalServerError, metav1.StatusReasonInternalError, unavailableAdvice},
		{http.StatusServiceUnavailable, metav1.StatusReasonServiceUnavailable, unavailableAdvice},
		{http.StatusGatewayTimeout, metav1.StatusReasonTimeout, unavailableAdvice},
		{http.StatusNotFound, metav1.StatusReasonNotFound, unavailableAdvice},
	} {
		for i, resource := range []string{"tokenreviews", "subjectaccessreviews"} {
			t.Run(fmt.Sprint(resource, test.code), func(t *testing.T) {
				w := newWorld(t)
				w.failing(resource, test.code, test.reason)
				w.expect(t, "first", w.get("Bearer good"), notAsked, 1, i)
				group := []string{"authentication.k8s.io", "authorization.k8s.io"}[i]
				line := fmt.Sprintf(
					`{"logger":"","msg":"Failed to authenticate or authorize requests, answered 503: %s",`+
						`"error":"%s: %s","resource":"%s.%s"}`,
					test.advice, resource, test.reason, resource, group)
				if diff := cmp.Diff([]string{line}, w.log.loud()); diff != "" {
					t.Errorf("log (-want +got):\n%s", diff)
				}
				for range 3 {
					w.get("Bearer good")
				}
				w.pass(logEvery - time.Nanosecond)
				w.get("Bearer good")
				if diff := cmp.Diff([]string{line}, w.log.loud()); diff != "" {
					t.Errorf("log of five minutes (-want +got):\n%s", diff)
				}
				w.pass(time.Nanosecond)
				w.get("Bearer good")
				if diff := cmp.Diff([]string{line, line}, w.log.loud()); diff != "" {
					t.Errorf("log thereafter (-want +got):\n%s", diff)
				}
				w.failing(resource, 0, "")
				if diff := cmp.Diff(passed, w.get("Bearer good")); diff != "" {
					t.Errorf("once it can be asked (-want +got):\n%s", diff)
				}
			})
		}
	}

	t.Run("two kinds of errors have a line each", func(t *testing.T) {
		w := newWorld(t)
		for range 3 {
			w.failing("tokenreviews", http.StatusForbidden, metav1.StatusReasonForbidden)
			w.get("Bearer good")
			w.failing("tokenreviews", http.StatusInternalServerError, metav1.StatusReasonInternalError)
			w.get("Bearer good")
		}
		if got := w.log.loud(); len(got) != 2 {
			t.Errorf("logged %q", got)
		}
	})
	t.Run("what is remembered is good meanwhile", func(t *testing.T) {
		w := newWorld(t)
		w.expect(t, "before", w.get("Bearer good"), passed, 1, 1)
		w.failing("tokenreviews", http.StatusForbidden, metav1.StatusReasonForbidden)
		w.expect(t, "meanwhile", w.get("Bearer good"), passed, 1, 1)
		w.pass(authenticatedFor)
		w.expect(t, "no longer", w.get("Bearer good"), notAsked, 2, 1)
		w.expect(t, "which is not remembered", w.get("Bearer good"), notAsked, 3, 1)
	})
	t.Run("the server is gone", func(t *testing.T) {
		w := newWorld(t)
		gone := httptest.NewServer(http.NotFoundHandler())
		gone.Close()
		w.connect(t, gone.URL)
		w.expect(t, "answer", w.get("Bearer good"), notAsked, 0, 0)
		if got := w.log.loud(); len(got) != 1 || !strings.Contains(got[0], unavailableAdvice) {
			t.Errorf("logged %q", got)
		}
	})
	t.Run("it does not answer", func(t *testing.T) {
		w := newWorld(t)
		w.gate.tokens.timeout = 20 * time.Millisecond
		w.instead["tokenreviews"] = func(_ http.ResponseWriter, r *http.Request) {
			_, _ = r.Body.Read(make([]byte, 1<<10))
			<-r.Context().Done()
		}
		w.expect(t, "answer", w.get("Bearer good"), notAsked, 1, 0)
		if got := w.log.loud(); len(got) != 1 || !strings.Contains(got[0], "deadline exceeded") {
			t.Errorf("logged %q", got)
		}
	})
}

func TestTokensAreNotLogged(t *testing.T) {
	const secret = "eyJhbGciOiJSUzI1NiJ9.c2VjcmV0.c2lnbmF0dXJl"
	w := newWorld(t)
	w.expect(t, "the review's error names it", w.get("Bearer "+secret), unauthenticated, 1, 0)
	w.pass(unauthenticatedFor)
	w.instead["tokenreviews"] = func(rw http.ResponseWriter, r *http.Request) {
		var review authenticationv1.TokenReview
		_ = json.NewDecoder(r.Body).Decode(&review)
		rw.WriteHeader(http.StatusBadGateway)
		_, _ = fmt.Fprintf(rw, "cannot forward %q", review.Spec.Token)
	}
	w.expect(t, "a proxy's error names it", w.get("Bearer "+secret), notAsked, 2, 0)
	if all := w.log.all(); strings.Contains(all, secret) || strings.Count(all, "[token]") != 3 {
		t.Errorf("logged:\n%s", all)
	}
}

func TestTheSameIsAskedOnce(t *testing.T) {
	const callers = 20
	w := newWorld(t)
	arrived, release := make(chan struct{}), make(chan struct{})
	w.instead["tokenreviews"] = func(rw http.ResponseWriter, r *http.Request) {
		close(arrived) // twice would panic
		<-release
		w.failing("tokenreviews", 0, "")
		w.mu.Lock()
		w.asked.Tokens-- // serve counts it again
		w.mu.Unlock()
		w.serve(rw, r)
	}
	canceled, cancel := context.WithCancel(t.Context())
	first := make(chan answer)
	go func() { first <- w.do(request("Bearer good").WithContext(canceled)) }()
	<-arrived
	answers := make(chan answer, callers)
	for range callers {
		go func() { answers <- w.get("Bearer good") }()
	}
	cancel()
	if diff := cmp.Diff(notAsked, <-first); diff != "" {
		t.Errorf("who asked first and left (-want +got):\n%s", diff)
	}
	close(release)
	for range callers {
		if diff := cmp.Diff(passed, <-answers); diff != "" {
			t.Errorf("who waited (-want +got):\n%s", diff)
		}
	}
	w.expect(t, "thereafter", w.get("Bearer good"), passed, 1, 1)
	if loud := w.log.loud(); len(loud) > 0 {
		t.Errorf("logged %q", loud)
	}
}

func TestUnknownCallersAreLimited(t *testing.T) {
	w := newWorld(t)
	w.expect(t, "one who is known", w.get("Bearer good"), passed, 1, 1)
	n := 0
	// flood has strangers come at once, each with a token of its own, and returns how many the API server was asked
	// about.
	flood := func(callers int) (reviewed int) {
		for range callers {
			n++
			switch got := w.get(fmt.Sprint("Bearer bad", n)); got {
			case unauthenticated:
				reviewed++
			case throttled:
			default:
				t.Fatalf("got %+v", got)
			}
		}
		return reviewed
	}
	if got := flood(200); got != asksAtOnce-1 {
		t.Errorf("at once: %d strangers were asked about, besides the first", got)
	}
	w.expect(t, "one who is known", w.get("Bearer good"), passed, asksAtOnce, 1)
	w.pass(time.Second)
	if got := flood(200); got != asksPerSecond {
		t.Errorf("in a second: %d strangers were asked about", got)
	}
	w.expect(t, "one who was turned away is not remembered", w.get("Bearer strange"), throttled,
		asksAtOnce+asksPerSecond, 1)
	for range 120 {
		w.pass(time.Second)
		flood(50)
	}
	asked := w.count()
	w.expect(t, "one who has to be asked about again", w.get("Bearer good"), passed, asked.Tokens+1, asked.Rights)
	w.pass(time.Second)
	w.expect(t, "a stranger after the flood", w.get("Bearer strange"), denied, asked.Tokens+2, asked.Rights+1)
	for range 6 {
		w.pass(time.Second)
		flood(50)
		for i := range 50 { // verbs are the caller's to make up
			r := httptest.NewRequest(fmt.Sprintf("GET-%d-%d", n, i), "/metrics", http.NoBody)
			r.Header.Set("Authorization", "Bearer strange")
			if code := w.do(r).Code; code != http.StatusForbidden && code != http.StatusTooManyRequests {
				t.Fatalf("code %d", code)
			}
		}
	}
	if got, most := w.count().Rights, asked.Rights+1+asksAtOnce+6*asksPerSecond; got > most {
		t.Errorf("%d questions about rights, at most %d are due", got, most)
	}
	if loud := w.log.loud(); len(loud) > 0 {
		t.Errorf("logged %q", loud)
	}
	for _, c := range []int{len(w.gate.tokens.no.Keys()), len(w.gate.tokens.yes.Keys()), len(w.gate.rights.no.Keys())} {
		if c > maxDecisions {
			t.Errorf("%d answers are remembered", c)
		}
	}
}

func TestFilter(t *testing.T) {
	w := newWorld(t)
	server := httptest.NewServer(http.HandlerFunc(w.serve))
	defer server.Close()
	// A limit of the client's does not apply.
	filter, err := Filter(&rest.Config{Host: server.URL, QPS: 1e-6, Burst: 1}, &http.Client{})
	if err != nil {
		t.Fatal(err)
	}
	for i, path := range []string{"/metrics", "/license/report"} {
		w.handler = filter(w.log.logger(), http.NotFoundHandler())
		r := httptest.NewRequest(http.MethodGet, path, http.NoBody)
		r.Header.Set("Authorization", "Bearer good")
		w.expect(t, path, w.do(r), plain(http.StatusNotFound, "404 page not found\n"), 1, i+1)
	}
	if _, err := Filter(&rest.Config{Host: "://"}, &http.Client{}); err == nil {
		t.Error("made a client of nothing")
	}
}
