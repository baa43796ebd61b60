// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package access lets to what the operator serves those whom the API server knows and who may, and nobody else.
//
// It asks the API server who holds a bearer token (TokenReview), then whether that user may do this to that path
// (SubjectAccessReview), as the API server itself does with nonResourceURLs. It remembers the answers for a while, and
// bounds how often it asks: whoever reaches the port could have it ask otherwise.
package access

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/go-logr/logr"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	authenticationclient "k8s.io/client-go/kubernetes/typed/authentication/v1"
	authorizationclient "k8s.io/client-go/kubernetes/typed/authorization/v1"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
)

const (
	// knownFor is how long a token is good after the API server said so, and thus how long one can outlive its account.
	knownFor = time.Minute
	// unknownFor is how long a token is bad after the API server said so.
	unknownFor = 10 * time.Second
	// allowedFor is how long a user may what the API server said that it may.
	allowedFor = 5 * time.Minute
	// deniedFor is how long a user may not: that of a role which is bound a little late.
	deniedFor = 30 * time.Second
	// maxToken bounds a token, in bytes. Those of ServiceAccounts have about 1 KiB, those of identity providers some
	// more.
	maxToken = 16 << 10
)

// Filter returns what is put around a handler. A request comes through with a bearer token (RFC 6750) of the API
// server's audience, whose user may do the request's method, in lower case, to its path. The others are answered, in
// text that says what to do, with
//
//   - 401 where there is no such token, or the API server does not know it;
//   - 403 where the user may not;
//   - 429 where too many whom the operator has not met lately come at once;
//   - 503 where the API server cannot be asked, and then a line in the log says why, again every five minutes.
//
// All handlers that one such filter is put around share what it remembers. The user that config is for needs the right
// to create tokenreviews and subjectaccessreviews. Filter fails where config makes no client.
func Filter(config *rest.Config, httpClient *http.Client) (func(logr.Logger, http.Handler) http.Handler, error) {
	g, err := newGate(config, httpClient, clock.RealClock{})
	if err != nil {
		return nil, err
	}
	return g.filter, nil
}

// gate is what requests come through, or not.
type gate struct {
	authentication, authorization rest.Interface
	// tokens has the users of tokens, by the tokens' hashes: tokens themselves are not kept.
	tokens *ledger[authenticationv1.UserInfo]
	// rights has who may what, by the hashes of the questions.
	rights *ledger[struct{}]
}

func newGate(config *rest.Config, httpClient *http.Client, c clock.PassiveClock) (*gate, error) {
	config = rest.CopyConfig(config)
	// The ledgers bound what is asked. A limit of the client's would have those whom the operator knows wait for those
	// whom it does not.
	config.QPS, config.RateLimiter = -1, nil
	authentication, errAuthentication := authenticationclient.NewForConfigAndClient(config, httpClient)
	authorization, errAuthorization := authorizationclient.NewForConfigAndClient(config, httpClient)
	if err := errors.Join(errAuthentication, errAuthorization); err != nil {
		return nil, fmt.Errorf("creating the clients that ask the API server about callers: %w", err)
	}
	return &gate{
		authentication: authentication.RESTClient(),
		authorization:  authorization.RESTClient(),
		tokens:         newLedger[authenticationv1.UserInfo](c, knownFor, unknownFor),
		rights:         newLedger[struct{}](c, allowedFor, deniedFor),
	}, nil
}

// filter is what Filter returns.
func (g *gate) filter(log logr.Logger, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if refused := g.judge(r, log); refused != nil {
			// Not above debug level: callers could fill the log.
			log.V(1).Info("Turned a caller away", "code", refused.code, "from", r.RemoteAddr, "reason", refused.reason)
			refused.write(w)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// refusal is the answer to who is not let through.
type refusal struct {
	code int
	// text is for the caller: what is wrong and what to do.
	text string
	// reason is for the log, where there is more to say.
	reason string
}

func (f *refusal) write(w http.ResponseWriter) {
	switch f.code {
	case http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", "Bearer")
	case http.StatusTooManyRequests:
		w.Header().Set("Retry-After", "1") // In a second many can be asked about.
	}
	http.Error(w, f.text, f.code)
}

// judge returns nil for a request that may come through.
func (g *gate) judge(r *http.Request, log logr.Logger) *refusal {
	token, ok := bearerToken(r.Header)
	if !ok {
		return &refusal{code: http.StatusUnauthorized, text: "There is no bearer token: send one header " +
			"\"Authorization: Bearer TOKEN\" with the token of a ServiceAccount (kubectl create token makes one)."}
	}
	who, err := g.tokens.ask(r.Context(),
		sha256.Sum256([]byte(token)), func(ctx context.Context) (verdict[authenticationv1.UserInfo], error) {
			return g.reviewToken(ctx, token)
		})
	if err != nil {
		return g.tokens.refuse(err, log, "tokenreviews.authentication.k8s.io")
	}
	if !who.yes {
		return &refusal{
			code: http.StatusUnauthorized, reason: who.reason,
			text: "The API server does not know the bearer token: it has expired, its account is gone, or it is for " +
				"another cluster or audience. Send a new one.",
		}
	}
	question := accessQuestion(who.about, strings.ToLower(r.Method), r.URL.Path)
	key, err := json.Marshal(question)
	if err != nil {
		return g.rights.refuse(err, log, "subjectaccessreviews.authorization.k8s.io")
	}
	may, err := g.rights.ask(r.Context(), sha256.Sum256(key), func(ctx context.Context) (verdict[struct{}], error) {
		return g.reviewAccess(ctx, question)
	})
	if err != nil {
		return g.rights.refuse(err, log, "subjectaccessreviews.authorization.k8s.io")
	}
	if !may.yes {
		on := question.NonResourceAttributes
		return &refusal{
			code: http.StatusForbidden, reason: may.reason,
			text: fmt.Sprintf("User %q has no right to %q on nonResourceURL %q: bind it to a ClusterRole that "+
				"grants that.", who.about.Username, on.Verb, on.Path),
		}
	}
	return nil
}

// bearerToken is the token that a request brings (RFC 6750, section 2.1): exactly one, of no more than maxToken bytes.
func bearerToken(header http.Header) (string, bool) {
	values := header.Values("Authorization")
	if len(values) != 1 {
		return "", false
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	token = strings.TrimLeft(token, " ")
	return token, strings.EqualFold(scheme, "Bearer") && len(token) <= maxToken && wellFormed(token)
}

// wellFormed tells whether a token is what RFC 6750 calls a b64token.
func wellFormed(token string) bool {
	token = strings.TrimRight(token, "=")
	return token != "" && strings.IndexFunc(token, func(r rune) bool {
		alphanumeric := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
		return !alphanumeric && !strings.ContainsRune("-._~+/", r)
	}) < 0
}

// reviewToken asks the API server whose a token is.
func (g *gate) reviewToken(ctx context.Context, token string) (verdict[authenticationv1.UserInfo], error) {
	var review authenticationv1.TokenReview
	asked := &authenticationv1.TokenReview{Spec: authenticationv1.TokenReviewSpec{Token: token}}
	if err := create(ctx, g.authentication, "tokenreviews", asked, &review); err != nil {
		// What stands between here and the API server may answer with what it was sent. Tokens are never logged.
		return verdict[authenticationv1.UserInfo]{}, newTrouble(err, strings.ReplaceAll(err.Error(), token, "[token]"))
	}
	return verdict[authenticationv1.UserInfo]{
		// One without a name is nobody: a review of such a user's rights is refused.
		yes:    review.Status.Authenticated && review.Status.User.Username != "",
		about:  review.Status.User,
		reason: strings.ReplaceAll(review.Status.Error, token, "[token]"),
	}, nil
}

// reviewAccess asks the API server whether a user may.
func (g *gate) reviewAccess(
	ctx context.Context, question authorizationv1.SubjectAccessReviewSpec,
) (verdict[struct{}], error) {
	var review authorizationv1.SubjectAccessReview
	if err := create(ctx, g.authorization, "subjectaccessreviews", &authorizationv1.SubjectAccessReview{Spec: question},
		&review); err != nil {
		return verdict[struct{}]{}, newTrouble(err, err.Error())
	}
	return verdict[struct{}]{
		yes:    review.Status.Allowed && !review.Status.Denied,
		reason: strings.TrimSpace(review.Status.Reason + " " + review.Status.EvaluationError),
	}, nil
}

func accessQuestion(user authenticationv1.UserInfo, verb, path string) authorizationv1.SubjectAccessReviewSpec {
	question := authorizationv1.SubjectAccessReviewSpec{
		User: user.Username, UID: user.UID, Groups: user.Groups,
		NonResourceAttributes: &authorizationv1.NonResourceAttributes{Verb: verb, Path: path},
	}
	if len(user.Extra) > 0 {
		question.Extra = make(map[string]authorizationv1.ExtraValue, len(user.Extra))
		for key, value := range user.Extra {
			question.Extra[key] = authorizationv1.ExtraValue(value)
		}
	}
	return question
}

// create posts a review and reads the answer into another, once: callers come again by themselves, and an API server
// that says wait is to be left alone.
func create(ctx context.Context, client rest.Interface, resource string, review, answer runtime.Object) error {
	return client.Post().Resource(resource).Body(review).MaxRetries(0).Do(ctx).Into(answer)
}

// trouble is why the API server could not be asked.
type trouble struct {
	kind troubleKind
	text string
}

// troubleKind is what there is to do about trouble.
type troubleKind int

const (
	// unreachable is any that is neither of the others.
	unreachable troubleKind = iota
	// forbidden is where the operator may not ask.
	forbidden
	// unauthorized is where the API server does not know the operator.
	unauthorized
)

func newTrouble(err error, text string) *trouble {
	t := &trouble{text: text}
	switch {
	case apierrors.IsForbidden(err):
		t.kind = forbidden
	case apierrors.IsUnauthorized(err):
		t.kind = unauthorized
	}
	return t
}

// Error implements error.
func (t *trouble) Error() string { return t.text }

func (k troubleKind) advice() string {
	switch k {
	case forbidden:
		return "apply config/rbac: its ClusterRole metrics-auth-role lets the operator ask"
	case unauthorized:
		return "see whether the operator's ServiceAccount is there, then delete the pod: it gets a new token"
	default:
		return "see whether the API server is well and reached from the operator's pod"
	}
}
