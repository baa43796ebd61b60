// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	licensereport "github.com/license-operator/license-operator/internal/report"
)

// receivedReport is what the operator has given out, once it is known to be a report.
type receivedReport struct {
	body     []byte
	document *reportDocument
	// name that the operator gives it; empty where it gives none.
	name string
}

// contentTypes are those of the formats.
var contentTypes = map[string]string{outputJSON: "application/json", outputTar: "application/x-tar"}

const (
	// maxAnswer bounds how much of an answer that is no report is read, in bytes; it is for a person to read.
	maxAnswer = 1 << 10
	// maxAnswerHeader bounds the header of an answer, in bytes.
	maxAnswerHeader = 64 << 10
)

// fetch asks the operator for the report: one of its pods after the other, until one answers.
func (o *reportOptions) fetch(ctx context.Context) (*receivedReport, error) {
	end := o.now().Add(o.timeout)
	reader, err := newClientFor(o.config)
	if err != nil {
		return nil, err
	}
	pods, err := readyOperators(ctx, reader, o.namespace)
	if err != nil {
		return nil, err
	}
	if o.token == "" {
		return nil, o.withoutToken()
	}
	for i, pod := range pods {
		operator := operatorClient(func(context.Context, string, string) (net.Conn, error) {
			return openTunnel(o.config,
				pod)
		})
		var received *receivedReport
		received, err = o.askInTime(ctx, operator, end.Sub(o.now())/time.Duration(len(pods)-i))
		var silent *noAnswerError
		if !errors.As(err, &silent) {
			return received, err
		}
		err = o.atPod(pod.Name, silent)
		if i < len(pods)-1 {
			warnf(o.ErrOut, "%v; asking pod %s", err, pods[i+1].Name)
		}
	}
	return nil, err
}

// askInTime asks one of some pods, and leaves time for the others.
func (o *reportOptions) askInTime(
	ctx context.Context, operator *http.Client, share time.Duration,
) (*receivedReport, error) {
	ctx, cancel := context.WithTimeout(ctx, share)
	defer cancel()
	return o.ask(ctx, operator)
}

// noAnswerError is why a pod did not answer at all.
type noAnswerError struct{ cause error }

// Error implements error.
func (n *noAnswerError) Error() string { return n.cause.Error() }

// Unwrap is what it wraps.
func (n *noAnswerError) Unwrap() error { return n.cause }

// atPod says which pod could not be talked to, and keeps what has been put into words already.
func (o *reportOptions) atPod(pod string, silent *noAnswerError) error {
	var known *failure
	if errors.As(silent, &known) {
		return known
	}
	return failf(fmt.Sprintf("See what it has to say: kubectl logs -n %s %s\nIt has to serve on port %d, which is "+
		"--metrics-bind-address' default.", shellWord(o.namespace), shellWord(pod), securePort),
		"pod %s does not answer: %v", pod, silent)
}

// operatorClient speaks HTTPS over the connections that dial makes, one for each request. It takes any certificate,
// since the operator makes its own: who is at the other end is for dial to know. It follows no redirection, which could
// lead a token elsewhere.
func operatorClient(dial func(ctx context.Context, network, address string) (net.Conn, error)) *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			DialContext:            dial,
			TLSClientConfig:        &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // see above
			DisableKeepAlives:      true,
			DisableCompression:     true, // What is read is bounded.
			MaxResponseHeaderBytes: maxAnswerHeader,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// ask takes nothing for an answer but a report. Whatever is there instead of the operator may answer with what it was
// sent, in any place: no error has the token in it.
func (o *reportOptions) ask(ctx context.Context, operator *http.Client) (*receivedReport, error) {
	received, err := o.exchange(ctx, operator)
	var silent *noAnswerError
	switch {
	case err == nil:
		return received, nil
	case errors.As(err, &silent):
		return nil, &noAnswerError{o.redacted(silent.cause)}
	default:
		return nil, o.redacted(err)
	}
}

// redacted is an error without the token.
func (o *reportOptions) redacted(err error) error {
	hide := func(text string) string { return strings.ReplaceAll(text, o.token, "[token]") }
	var known *failure
	if errors.As(err, &known) {
		return &failure{message: hide(known.message), next: hide(known.next), code: known.code}
	}
	return errors.New(hide(err.Error()))
}

// exchange sends the request, and reads the answer.
func (o *reportOptions) exchange(ctx context.Context, operator *http.Client) (*receivedReport, error) {
	query := url.Values{"format": {o.output}}
	if o.product != "" {
		query.Set("product", o.product)
	}
	// The host's name is looked up nowhere.
	address := url.URL{Scheme: "https", Host: "license-operator", Path: licensereport.Path, RawQuery: query.Encode()}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address.String(), http.NoBody)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+o.token)
	request.Header.Set("User-Agent", o.config.UserAgent)
	response, err := operator.Do(request)
	if err != nil {
		var cause *url.Error
		if errors.As(err, &cause) {
			err = cause.Err // The address is ours, and tells nobody anything.
		}
		return nil, &noAnswerError{err}
	}
	defer response.Body.Close() //nolint:errcheck // nothing was written
	if response.StatusCode != http.StatusOK {
		return nil, o.refusal(response)
	}
	return o.receive(response)
}

// receive makes sure that what was received is a report, whole and as it was made.
func (o *reportOptions) receive(response *http.Response) (*receivedReport, error) {
	const next = "Try again. Is the operator as new as this plugin?"
	kind, _, err := mime.ParseMediaType(response.Header.Get("Content-Type"))
	if err != nil || kind != contentTypes[o.output] {
		return nil, failf(next, "the operator's answer is no report: its type is %q, not %s",
			response.Header.Get("Content-Type"), contentTypes[o.output])
	}
	body, err := readUpTo(response.Body, "the report", reportSize)
	if err != nil {
		return nil, err
	}
	document, err := readReport(body)
	if err != nil {
		return nil, failf(next, "the operator's answer is no report: %v", err)
	}
	if !document.matches() {
		return nil, failf(next, "the report did not arrive as it was made: its checksum does not match")
	}
	if o.output == outputJSON {
		// The operator sends one line. The layout does not count for the checksum, and people read this.
		var readable bytes.Buffer
		if err := json.Indent(&readable, body, "", "  "); err != nil {
			return nil, err
		}
		body = readable.Bytes()
	}
	return &receivedReport{body: body, document: document,
		name: nameFor(response.Header.Get("Content-Disposition"), o.output)}, nil
}

// refusal is why there is no report, in the operator's words, and what to do about it.
func (o *reportOptions) refusal(response *http.Response) error {
	// So much is read that a token is read to its end, if it was sent back.
	body, _ := io.ReadAll(io.LimitReader(response.Body, int64(maxAnswer+len(o.token)))) // What there is of it will do.
	// In one line, so that nothing in it looks like a line of ours.
	text := strings.Join(strings.Fields(strings.ReplaceAll(string(body), o.token, "[token]")), " ")
	if len(text) > maxAnswer {
		text = text[:maxAnswer] + "…"
	}
	if text == "" {
		text = http.StatusText(response.StatusCode)
	}
	return failf(o.wayOut(response, text), "the operator answers with %d: %s", response.StatusCode, text)
}

// wayOut says what to do about an answer.
func (o *reportOptions) wayOut(response *http.Response, text string) string {
	switch response.StatusCode {
	case http.StatusUnauthorized:
		return "Log in again, or use another token.\n" + o.howToGetToken()
	case http.StatusForbidden:
		return grantReport(text)
	case http.StatusBadRequest:
		return "Choose one with --product NAME; --product '*' is for all of them, and for yourself: a vendor should " +
			"not see another's contract."
	case http.StatusNotFound:
		if strings.HasPrefix(text, "404 page not found") { // as Go's server says of paths that it does not have
			return "The operator is older than this plugin and has no report: install a newer one."
		}
		return "See which there are: kubectl get lprod"
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		if seconds, err := strconv.ParseUint(response.Header.Get("Retry-After"), 10, 16); err == nil {
			return fmt.Sprintf("Try again in %s.", plural(int64(seconds), "second"))
		}
		return "Try again."
	default:
		return "Is the operator as new as this plugin?"
	}
}

// refusedUser finds the user in what the operator says to somebody who may not.
var refusedUser = regexp.MustCompile(`^User ("(?:[^"\\]|\\.)*") has no right`)

// grantReport is the command that gives a user the right to the report.
func grantReport(text string) string {
	user := "NAME"
	if found := refusedUser.FindStringSubmatch(text); found != nil {
		if name, err := strconv.Unquote(found[1]); err == nil {
			user = name
		}
	}
	subject, binding := "--user="+shellWord(user), user
	if account, isAccount := strings.CutPrefix(user, "system:serviceaccount:"); isAccount {
		subject, binding = "--serviceaccount="+shellWord(account), account
	}
	binding = shortened(strings.Trim(notInNames.ReplaceAllString(strings.ToLower("license-report-"+binding), "-"), "-"),
		maxNameLength)
	return fmt.Sprintf("Whoever administers the cluster can grant it; half a minute later the operator knows:\n  "+
		"kubectl create clusterrolebinding %s --clusterrole=%s %s",
		binding, reportReaderRole, subject)
}
