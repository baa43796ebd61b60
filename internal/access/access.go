// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package access lets in requests that the API server authenticates and authorizes.
//
// It asks the API server whose a bearer token is (TokenReview), then whether that user may do this to that path
// (SubjectAccessReview), as the API server itself does for nonResourceURLs. It caches the answers for a while and
// limits how often it asks, since anyone who reaches the port causes requests.
//
// controller-runtime's filter does the same with the API server's library. That answers a bad token with 500 and logs
// an error with a stack trace for each, and it brings gRPC, CEL and OpenTelemetry: 20 of 55 MB of the binary and 15 of
// 50 MB of memory.
package access

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
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
	// authenticatedFor is how long an accepted token is cached, and so how long it can outlive its account.
	authenticatedFor = time.Minute
	// unauthenticatedFor is how long a rejected token is cached.
	unauthenticatedFor = 10 * time.Second
	// allowedFor is how long an allowed request is cached.
	allowedFor = 5 * time.Minute
	// deniedFor is how long a denied request is cached: as long as a role that is bound late takes to have effect.
	deniedFor = 30 * time.Second
	// maxToken is the largest token, in bytes. Tokens of ServiceAccounts have about 1 KiB, those of identity providers
	// more.
	maxToken = 16 << 10
)

const (
	tokenReviews  = "tokenreviews.authentication.k8s.io"
	accessReviews = "subjectaccessreviews.authorization.k8s.io"
)

// Filter returns a function that wraps a handler. A request passes with a bearer token (RFC 6750) for the API server's
// audience whose user may do the request's method, in lower case, to its path. Other requests are answered with
//
//   - 401: there is no valid token;
//   - 403: the user may not do it;
//   - 429: too many callers that are not in the cache;
//   - 503: the API server cannot be asked. The log says why, every five minutes.
//
// All handlers that one filter wraps share its cache. The user of config needs permission to create tokenreviews and
// subjectaccessreviews. Filter fails if config makes no client.
func Filter(config *rest.Config, httpClient *http.Client) (func(logr.Logger, http.Handler) http.Handler, error) {
	g, err := newGate(config, httpClient, clock.RealClock{})
	if err != nil {
		return nil, err
	}
	return g.filter, nil
}

// gate decides which requests pass.
type gate struct {
	authentication, authorization rest.Interface
	// tokens has the users of tokens, by the hashes of the tokens: tokens themselves are not kept.
	tokens *decisionCache[authenticationv1.UserInfo]
	// rights has what users may do, by the hashes of the questions.
	rights *decisionCache[struct{}]
}

func newGate(config *rest.Config, httpClient *http.Client, c clock.PassiveClock) (*gate, error) {
	config = rest.CopyConfig(config)
	// The caches limit requests. A limit of the client's would have known callers wait for unknown ones.
	config.QPS, config.RateLimiter = -1, nil
	authentication, errAuthentication := authenticationclient.NewForConfigAndClient(config, httpClient)
	authorization, errAuthorization := authorizationclient.NewForConfigAndClient(config, httpClient)
	if err := errors.Join(errAuthentication, errAuthorization); err != nil {
		return nil, fmt.Errorf("creating clients for authentication and authorization: %w", err)
	}
	return &gate{
		authentication: authentication.RESTClient(), authorization: authorization.RESTClient(),
		tokens: newDecisionCache[authenticationv1.UserInfo](c, authenticatedFor, unauthenticatedFor),
		rights: newDecisionCache[struct{}](c, allowedFor, deniedFor),
	}, nil
}

// filter is what Filter returns.
func (g *gate) filter(log logr.Logger, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rejected := g.check(r, log)
		if rejected == nil {
			next.ServeHTTP(w, r)
			return
		}
		// Not above debug level: callers could fill the log.
		log.V(1).Info("Request rejected", "code", rejected.code, "from", r.RemoteAddr, "reason", rejected.reason)
		switch rejected.code {
		case http.StatusUnauthorized:
			w.Header().Set("WWW-Authenticate", "Bearer")
		case http.StatusTooManyRequests:
			w.Header().Set("Retry-After", "1") // a second allows many more questions
		}
		http.Error(w, rejected.text, rejected.code)
	})
}

// rejection is the answer to a request that does not pass.
type rejection struct {
	code int
	// text tells the caller what is wrong and what to do.
	text string
	// reason is for the log, where there is more to say.
	reason string
}

// check returns nil for a request that passes.
func (g *gate) check(r *http.Request, log logr.Logger) *rejection {
	token, ok := bearerToken(r.Header)
	if !ok {
		return &rejection{code: http.StatusUnauthorized, text: "No valid bearer token: send one header " +
			"\"Authorization: Bearer TOKEN\" with the token of a ServiceAccount (kubectl create token)."}
	}
	user, err := g.tokens.get(r.Context(), sha256.Sum256([]byte(token)),
		func(ctx context.Context) (decision[authenticationv1.UserInfo], error) {
			return g.reviewToken(ctx, token)
		})
	if err != nil {
		return g.tokens.reject(err, log, tokenReviews)
	}
	if !user.yes {
		return &rejection{
			code: http.StatusUnauthorized, reason: user.reason,
			text: "The API server rejected the bearer token: it has expired, its account was deleted, or it is for " +
				"another cluster or audience. Send a new one.",
		}
	}
	question := accessQuestion(user.about, strings.ToLower(r.Method), r.URL.Path)
	key, err := json.Marshal(question)
	if err != nil {
		return g.rights.reject(err, log, accessReviews)
	}
	access, err := g.rights.get(r.Context(), sha256.Sum256(key),
		func(ctx context.Context) (decision[struct{}], error) { return g.reviewAccess(ctx, question) })
	if err != nil {
		return g.rights.reject(err, log, accessReviews)
	}
	if !access.yes {
		on := question.NonResourceAttributes
		return &rejection{
			code: http.StatusForbidden, reason: access.reason,
			text: fmt.Sprintf("User %q cannot %s nonResourceURL %q: bind it to a ClusterRole that allows it.",
				user.about.Username, on.Verb, on.Path),
		}
	}
	return nil
}

// wellFormed matches what RFC 6750 calls a b64token.
var wellFormed = regexp.MustCompile(`^[A-Za-z0-9._~+/-]+=*$`)

// bearerToken returns the token of a request (RFC 6750, section 2.1): exactly one, of at most maxToken bytes.
func bearerToken(header http.Header) (string, bool) {
	values := header.Values("Authorization")
	if len(values) != 1 {
		return "", false
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	token = strings.TrimLeft(token, " ")
	return token, strings.EqualFold(scheme, "Bearer") && len(token) <= maxToken && wellFormed.MatchString(token)
}

// reviewToken asks the API server whose a token is.
func (g *gate) reviewToken(ctx context.Context, token string) (decision[authenticationv1.UserInfo], error) {
	var review authenticationv1.TokenReview
	asked := &authenticationv1.TokenReview{Spec: authenticationv1.TokenReviewSpec{Token: token}}
	if err := create(ctx, g.authentication, "tokenreviews", asked, &review); err != nil {
		// A proxy may answer with what it was sent. Tokens are never logged.
		err.text = strings.ReplaceAll(err.text, token, "[token]")
		return decision[authenticationv1.UserInfo]{}, err
	}
	return decision[authenticationv1.UserInfo]{
		// The API server refuses to review the rights of a user without a name.
		yes:    review.Status.Authenticated && review.Status.User.Username != "",
		about:  review.Status.User,
		reason: strings.ReplaceAll(review.Status.Error, token, "[token]"),
	}, nil
}

// reviewAccess asks the API server whether a user may do something.
func (g *gate) reviewAccess(
	ctx context.Context, question authorizationv1.SubjectAccessReviewSpec,
) (decision[struct{}], error) {
	var review authorizationv1.SubjectAccessReview
	if err := create(ctx, g.authorization, "subjectaccessreviews", &authorizationv1.SubjectAccessReview{Spec: question},
		&review); err != nil {
		return decision[struct{}]{}, err
	}
	return decision[struct{}]{
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

// create posts a review and reads the answer into another. It does not retry: callers do, and an API server that says
// wait is left alone.
func create(ctx context.Context, client rest.Interface, resource string, review, answer runtime.Object) *apiError {
	err := client.Post().Resource(resource).Body(review).MaxRetries(0).Do(ctx).Into(answer)
	switch {
	case err == nil:
		return nil
	case apierrors.IsForbidden(err):
		return &apiError{forbidden, err.Error()}
	case apierrors.IsUnauthorized(err):
		return &apiError{unauthorized, err.Error()}
	default:
		return &apiError{unavailable, err.Error()}
	}
}

// apiError is why the API server could not be asked.
type apiError struct {
	kind errorKind
	text string
}

// errorKind tells errors apart by what to do about them.
type errorKind int

const (
	// unavailable is any error but the others.
	unavailable errorKind = iota
	// forbidden means that the operator may not ask.
	forbidden
	// unauthorized means that the API server does not know the operator.
	unauthorized
)

// Error implements error.
func (e *apiError) Error() string { return e.text }

func (k errorKind) advice() string {
	switch k {
	case forbidden:
		return "apply config/rbac: its ClusterRole metrics-auth-role allows the operator to ask"
	case unauthorized:
		return "check that the operator's ServiceAccount exists, then delete the pod to get a new token"
	default:
		return "check that the API server is healthy and reachable from the operator's pod"
	}
}
