// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package report

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/license-operator/license-operator/internal/cli/command"
	"github.com/license-operator/license-operator/internal/cli/files"
	"github.com/license-operator/license-operator/internal/cli/kubeclient"
	"github.com/license-operator/license-operator/internal/cli/operator"
	"github.com/license-operator/license-operator/internal/cli/output"
	"github.com/license-operator/license-operator/internal/cli/term"
	licensereport "github.com/license-operator/license-operator/internal/report"
	"github.com/license-operator/license-operator/internal/text"
)

// received is what the operator has given out, once it is known to be a report.
type received struct {
	body     []byte
	document *document
	// name that the operator gives it; empty where it gives none.
	name string
}

// contentTypes are those of the formats.
var contentTypes = map[string]string{output.JSON: "application/json", outputTar: "application/x-tar"}

const (
	// maxAnswer bounds how much of an answer that is no report is read, in bytes; it is for a person to read.
	maxAnswer = 1 << 10
	// maxAnswerHeader bounds the header of an answer, in bytes.
	maxAnswerHeader = 64 << 10
)

// fetch asks the operator for the report: one of its pods after the other, until one answers.
func (o *options) fetch(ctx context.Context) (*received, error) {
	end := o.Now().Add(o.timeout)
	reader, err := kubeclient.NewFor(o.config)
	if err != nil {
		return nil, err
	}
	pods, err := operator.ReadyPods(ctx, reader, o.namespace)
	if err != nil {
		return nil, err
	}
	if o.token == "" {
		return nil, o.withoutToken()
	}
	for i, pod := range pods {
		operator := operatorClient(
			func(context.Context, string, string) (net.Conn, error) { return operator.OpenTunnel(o.config, pod) })
		var received *received
		received, err = o.askInTime(ctx, operator, end.Sub(o.Now())/time.Duration(len(pods)-i))
		var silent *noAnswerError
		if !errors.As(err, &silent) {
			return received, err
		}
		err = o.atPod(pod, silent)
		if i < len(pods)-1 {
			term.Warnf(o.ErrOut, "%v; asking pod %s", err, pods[i+1].Name)
		}
	}
	return nil, err
}

// askInTime asks one of some pods, and leaves time for the others.
func (o *options) askInTime(ctx context.Context, operator *http.Client, share time.Duration) (*received, error) {
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
func (o *options) atPod(pod operator.Pod, silent *noAnswerError) error {
	var known *command.UserError
	if errors.As(silent, &known) {
		return known
	}
	return command.FailWithHint(fmt.Sprintf("See its log: kubectl logs -n %s %s\nIts --metrics-bind-address has to be "+
		"port %d.", text.ShellQuote(pod.Namespace), text.ShellQuote(pod.Name), pod.Port),
		"pod %s does not answer: %v", pod.Name, silent)
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
func (o *options) ask(ctx context.Context, operator *http.Client) (*received, error) {
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
func (o *options) redacted(err error) error {
	hide := func(text string) string { return strings.ReplaceAll(text, o.token, "[token]") }
	var known *command.UserError
	if errors.As(err, &known) {
		return &command.UserError{Message: hide(known.Message), Hint: hide(known.Hint), Code: known.Code}
	}
	return errors.New(hide(err.Error()))
}

// exchange sends the request, and reads the answer.
func (o *options) exchange(ctx context.Context, operator *http.Client) (*received, error) {
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
func (o *options) receive(response *http.Response) (*received, error) {
	const next = "Try again. Is the operator as new as this plugin?"
	kind, _, err := mime.ParseMediaType(response.Header.Get("Content-Type"))
	if err != nil || kind != contentTypes[o.output] {
		return nil, command.FailWithHint(next, "the operator's answer is not a report: its type is %q, not %s",
			response.Header.Get("Content-Type"), contentTypes[o.output])
	}
	body, err := files.ReadFromUpTo(response.Body, "the report", sizeLimit)
	if err != nil {
		return nil, err
	}
	document, err := readDocument(body)
	if err != nil {
		return nil, command.FailWithHint(next, "the operator's answer is not a report: %v", err)
	}
	if !document.matches() {
		return nil, command.FailWithHint(next, "the report did not arrive as it was made: its checksum does not match")
	}
	if o.output == output.JSON {
		// The operator sends one line. The layout does not count for the checksum, and people read this.
		var readable bytes.Buffer
		if err := json.Indent(&readable, body, "", "  "); err != nil {
			return nil, err
		}
		body = readable.Bytes()
	}
	return &received{
		body: body, document: document, name: nameFor(response.Header.Get("Content-Disposition"), o.output),
	}, nil
}
