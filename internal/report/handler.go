// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package report

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/go-logr/logr"
	"github.com/munnerz/goautoneg"
	"golang.org/x/sync/semaphore"
	"golang.org/x/time/rate"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/clock"
	"github.com/license-operator/license-operator/internal/text"
	"github.com/license-operator/license-operator/internal/version"
)

const (
	// Path is where the operator serves the report.
	Path = "/license/report"
	// PortName is the name of the container port.
	PortName = "https"
	// DefaultPort is the number of the port, unless --metrics-bind-address changes it.
	DefaultPort = 8443

	// The parameters of a request.
	productParameter = "product"
	formatParameter  = "format"
	everyProduct     = "*"
	parameterUsage   = "use ?product=NAME or ?product=*, and &format=json or &format=tar"

	formatJSON      = "json"
	formatTar       = "tar"
	contentTypeJSON = "application/json"
	contentTypeTar  = "application/x-tar"

	// maxAtOnce is how many reports are in memory. One of 1,000 products takes some 15 MB.
	maxAtOnce = 2
	// waitTimeout is how long a request waits for its turn, and for the caches and the API server after that.
	waitTimeout = 15 * time.Second
	// writeTimeout is how long a caller may take to read a report. It is less than waitTimeout: a caller that does not
	// read at all does not cost others their turn.
	writeTimeout = 10 * time.Second
	// logEvery is how often an error is logged that lasts.
	logEvery = 5 * time.Minute
	// maxAccept bounds the header Accept, in bytes. Browsers send some 200.
	maxAccept = 4 << 10
	// maxNames bounds how many products an answer names.
	maxNames = 50
	// maxQuoted bounds what an answer repeats of a request.
	maxQuoted = 253
)

// Handler serves the report at Path; it leaves authorization to what wraps it. It answers on every replica, from the
// cache and from what the API server says at that moment, stores nothing, and makes a few reports at a time.
type Handler struct {
	log        logr.Logger
	cache      client.Reader
	surveyor   *surveyor
	clock      *clock.Clock
	clusterUID string
	system     SystemInfo
	turns      *semaphore.Weighted
	// errorLog limits how often errors are logged.
	errorLog rate.Sometimes
}

// Options of NewHandler.
type Options struct {
	Log logr.Logger
	// Cache reads products and keys, and API asks the API server.
	Cache, API client.Reader
	// Config and HTTPClient are for the API server's version.
	Config     *rest.Config
	HTTPClient *http.Client
	// Clock is the operator's.
	Clock *clock.Clock
	// ClusterUID is the UID of namespace kube-system.
	ClusterUID string
}

// NewHandler returns a Handler. It fails if the configuration makes no client, or the machine's name cannot be read.
func NewHandler(o Options) (*Handler, error) {
	config := rest.CopyConfig(o.Config)
	config.QPS, config.RateLimiter = -1, nil
	apiServer, err := discovery.NewDiscoveryClientForConfigAndClient(config, o.HTTPClient)
	if err != nil {
		return nil, fmt.Errorf("creating a client for the license report: %w", err)
	}
	system, errUname := uname()
	hostname, errHostname := os.Hostname()
	if err := errors.Join(errUname, errHostname); err != nil {
		return nil, fmt.Errorf("reading the system information for the license report: %w", err)
	}
	return &Handler{
		log: o.Log, cache: o.Cache, surveyor: &surveyor{reader: o.API, version: apiServer},
		clock: o.Clock, clusterUID: o.ClusterUID, turns: semaphore.NewWeighted(maxAtOnce), errorLog: newErrorLog(),
		system: SystemInfo{Cores: runtime.NumCPU(), Hostname: hostname, Uname: system},
	}, nil
}

func newErrorLog() rate.Sometimes { return rate.Sometimes{First: 1, Interval: logEvery} }

// refusal is why there is no report, for the caller.
type refusal struct {
	code int
	text string
}

func (f *refusal) Error() string { return f.text }

func refuse(code int, format string, args ...any) *refusal {
	return &refusal{code, fmt.Sprintf(format, args...)}
}

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), waitTimeout)
	defer cancel()
	asked, err := read(r)
	if err == nil {
		err = h.give(ctx, w, asked)
	}
	if err != nil {
		h.refuse(w, r, err)
	}
}

// refuse answers with why there is no report, even if the request has ended: a caller must not take silence for an
// empty report when the operator stops.
func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, err error) {
	refused, ok := errors.AsType[*refusal](err)
	_, unread := errors.AsType[*cache.ErrResourceNotCached](err)
	_, unstarted := errors.AsType[*cache.ErrCacheNotStarted](err)
	switch {
	case ok:
	case unread || unstarted:
		refused = refuse(http.StatusServiceUnavailable, "The operator is starting: retry in a few seconds.")
	default:
		refused = refuse(http.StatusServiceUnavailable,
			"Failed to make the report: see the operator's log, then retry.")
		if r.Context().Err() == nil {
			h.errorLog.Do(func() {
				h.log.Error(err, "Failed to make license reports, answered 503: check that the API server is healthy "+
					"and that config/rbac is applied")
			})
		}
	}
	switch refused.code {
	case http.StatusMethodNotAllowed:
		w.Header().Set("Allow", http.MethodGet+", "+http.MethodHead)
	case http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", "5")
	}
	http.Error(w, refused.text, refused.code)
}

// request is what was asked for.
type request struct {
	// product is a name, everyProduct, or empty: the only one.
	product string
	format  string
}

func read(r *http.Request) (request, error) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return request{}, refuse(http.StatusMethodNotAllowed, "Method not allowed: use GET.")
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return request{}, refuse(http.StatusBadRequest, "Malformed query: %s.", parameterUsage)
	}
	for _, parameter := range slices.Sorted(maps.Keys(query)) {
		if parameter != productParameter && parameter != formatParameter {
			return request{}, refuse(http.StatusBadRequest, "Unknown parameter %s: %s.",
				text.Quote(parameter, maxQuoted), parameterUsage)
		}
		if len(query[parameter]) > 1 {
			return request{}, refuse(http.StatusBadRequest, "Duplicate parameter %s: use it once.", parameter)
		}
	}
	format, err := formatOf(r, query)
	return request{product: query.Get(productParameter), format: format}, err
}

// formatOf is what the query says, else what the header Accept prefers.
func formatOf(r *http.Request, query url.Values) (string, error) {
	if query.Has(formatParameter) {
		format := query.Get(formatParameter)
		if format != formatJSON && format != formatTar {
			return "", refuse(http.StatusNotAcceptable, "Unknown format %s: use &format=json or &format=tar.",
				text.Quote(format, maxQuoted))
		}
		return format, nil
	}
	accept := strings.ToLower(strings.Join(r.Header.Values("Accept"), ","))
	if accept == "" {
		return formatJSON, nil
	}
	if len(accept) <= maxAccept {
		ranges := goautoneg.ParseAccept(accept)
		asJSON, asTar := quality(ranges, contentTypeJSON), quality(ranges, contentTypeTar)
		switch {
		case asTar > asJSON:
			return formatTar, nil
		case asJSON > 0:
			return formatJSON, nil
		}
	}
	return "", refuse(http.StatusNotAcceptable, "The report is %s or %s: accept one of them.",
		contentTypeJSON, contentTypeTar)
}

// quality is how much a content type is wanted: that of the most specific range that it is in (RFC 9110, section
// 12.5.1); 0: not at all.
func quality(ranges []goautoneg.Accept, contentType string) float64 {
	main, sub, _ := strings.Cut(contentType, "/")
	for _, wanted := range [][2]string{{main, sub}, {main, "*"}, {"*", "*"}} {
		for _, r := range ranges {
			if r.Type == wanted[0] && r.SubType == wanted[1] {
				return r.Q
			}
		}
	}
	return 0
}

// give makes the report and writes it. Both are one turn: a report stays in memory until it is read.
func (h *Handler) give(ctx context.Context, w http.ResponseWriter, asked request) error {
	if err := h.turns.Acquire(ctx, 1); err != nil {
		return refuse(http.StatusServiceUnavailable, "Too many reports at once: retry in a few seconds.")
	}
	defer h.turns.Release(1)
	facts, err := h.gather(ctx, asked.product)
	if err != nil {
		return err
	}
	content, err := Make(facts).Encode()
	if err != nil {
		return err
	}
	contentType := contentTypeJSON
	if asked.format == formatTar {
		contentType = contentTypeTar
		if content, err = Archive(content, facts.Time); err != nil {
			return err
		}
	}
	// Without a deadline a caller could keep a turn forever. The recorders of tests do not support one.
	deadline := time.Now().Add(writeTimeout) //nolint:forbidigo // the network knows no other clock
	err = http.NewResponseController(w).SetWriteDeadline(deadline)
	if err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	header := w.Header()
	header.Set("Content-Type", contentType)
	header.Set("Content-Disposition", fmt.Sprintf("attachment; filename=%q", fileName(facts.Time, asked.format)))
	header.Set("Content-Length", fmt.Sprint(len(content)))
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	if _, err := w.Write(content); err != nil {
		h.log.V(1).Info("Client did not read the whole license report", "error", err)
	}
	return nil
}

func (h *Handler) gather(ctx context.Context, product string) (*Facts, error) {
	var products api.LicensedProductList
	if err := h.cache.List(ctx, &products, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("listing LicensedProducts in the cache: %w", err)
	}
	chosen, err := choose(products.Items, product)
	if err != nil {
		return nil, err
	}
	var keys api.LicenseKeyList
	if err := h.cache.List(ctx, &keys, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("listing LicenseKeys in the cache: %w", err)
	}
	cluster, err := h.surveyor.survey(ctx)
	if err != nil {
		return nil, err
	}
	facts := &Facts{
		Time: h.clock.Read().Now, OperatorVersion: version.Get(), System: h.system, ClusterUID: h.clusterUID,
		Cluster: cluster, Products: chosen, OfAll: product == everyProduct,
		Keys: make(map[string]*api.LicenseKey, len(keys.Items)),
	}
	for i := range keys.Items {
		facts.Keys[keys.Items[i].Name] = &keys.Items[i]
	}
	return facts, nil
}

// choose finds what was asked for, in the order of the names.
func choose(products []api.LicensedProduct, asked string) ([]*api.LicensedProduct, error) {
	isEach := asked == "" || asked == everyProduct
	chosen := make([]*api.LicensedProduct, 0, len(products))
	names := make([]string, len(products))
	for i := range products {
		names[i] = products[i].Name
		if isEach || asked == names[i] {
			chosen = append(chosen, &products[i])
		}
	}
	slices.Sort(names)
	slices.SortFunc(chosen, func(a, b *api.LicensedProduct) int { return strings.Compare(a.Name, b.Name) })
	switch {
	case asked == "" && len(chosen) > 1:
		return nil, refuse(http.StatusBadRequest, "More than one product: use ?product=NAME, or ?product=* for "+
			"all. Products: %s.", text.List(names, maxNames))
	case isEach || len(chosen) > 0:
		return chosen, nil
	case len(products) == 0:
		return nil, refuse(http.StatusNotFound, "LicensedProduct %s not found: there are none.",
			text.Quote(asked, maxQuoted))
	default:
		return nil, refuse(http.StatusNotFound, "LicensedProduct %s not found. Products: %s.",
			text.Quote(asked, maxQuoted), text.List(names, maxNames))
	}
}
