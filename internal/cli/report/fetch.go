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

// received is a report from the operator.
type received struct {
	body     []byte
	document *document
	// name of the file that the operator suggests; may be empty.
	name string
}

// contentTypes are the content types of the formats.
var contentTypes = map[string]string{output.JSON: "application/json", outputTar: "application/x-tar"}

const (
	// maxAnswer limits an answer that is not a report, in bytes.
	maxAnswer = 1 << 10
	// maxAnswerHeader limits the header of an answer, in bytes.
	maxAnswerHeader = 64 << 10
)

// fetch asks the operator for the report: one pod after the other, until one answers.
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
		return nil, command.FailWithHint(o.howToGetToken(), "the operator needs a bearer token, and the kubeconfig "+
			"does not have one: a client certificate is only for the API server, whose proxy does not pass "+
			"credentials on")
	}
	for i, pod := range pods {
		operator := operatorClient(
			func(context.Context, string, string) (net.Conn, error) { return operator.OpenTunnel(o.config, pod) })
		// Each pod gets an equal share of the time that is left.
		inTime, cancel := context.WithTimeout(ctx, end.Sub(o.Now())/time.Duration(len(pods)-i))
		received, failure := o.ask(inTime, operator)
		cancel()
		var silent noAnswerError
		if !errors.As(failure, &silent) {
			return received, failure
		}
		err = atPod(pod, silent.error)
		if i < len(pods)-1 {
			term.Warnf(o.ErrOut, "%v; asking pod %s", err, pods[i+1].Name)
		}
	}
	return nil, err
}

// noAnswerError is why a pod did not answer at all.
type noAnswerError struct{ error }

// atPod adds the pod to an error, unless it is explained already.
func atPod(pod operator.Pod, err error) error {
	var known *command.UserError
	if errors.As(err, &known) {
		return known
	}
	return command.FailWithHint(fmt.Sprintf("See its log: kubectl logs -n %s %s\nIts --metrics-bind-address must be "+
		"port %d.", text.ShellQuote(pod.Namespace), text.ShellQuote(pod.Name), pod.Port),
		"pod %s does not answer: %v", pod.Name, err)
}

// operatorClient speaks HTTPS over the connections of dial, one for each request. It accepts any certificate, since the
// operator makes its own: dial must know the other end. It does not follow redirects: the token must go nowhere else.
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

// ask asks for the report, and accepts nothing else. A server in place of the operator may send the token back
// anywhere: no error contains it.
func (o *options) ask(ctx context.Context, operator *http.Client) (*received, error) {
	received, err := o.exchange(ctx, operator)
	var silent noAnswerError
	switch {
	case err == nil:
		return received, nil
	case errors.As(err, &silent):
		return nil, noAnswerError{o.redacted(silent.error)}
	default:
		return nil, o.redacted(err)
	}
}

// redacted returns an error without the token.
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
	// The host name is not looked up.
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
			err = cause.Err // without our address, which does not help the user
		}
		return nil, noAnswerError{err}
	}
	defer response.Body.Close() //nolint:errcheck // nothing was written
	if response.StatusCode != http.StatusOK {
		return nil, o.refusal(response)
	}
	return o.receive(response)
}

// receive reads the report, and verifies its type, size and checksum.
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
		return nil, command.FailWithHint(next, "the report was damaged in transit: its checksum does not match")
	}
	if o.output == output.JSON {
		// The operator sends one line, and people read this. The checksum does not depend on the layout.
		var readable bytes.Buffer
		if err := json.Indent(&readable, body, "", "  "); err != nil {
			return nil, err
		}
		body = readable.Bytes()
	}
	return &received{body, document, nameFor(response.Header.Get("Content-Disposition"), o.output)}, nil
}
