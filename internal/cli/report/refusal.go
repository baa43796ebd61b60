// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"github.com/license-operator/license-operator/internal/cli/command"
	"github.com/license-operator/license-operator/internal/cli/manifest"
	"github.com/license-operator/license-operator/internal/text"
)

// refusedUser finds the user in what the operator says to somebody who may not.
var refusedUser = regexp.MustCompile(`^User ("(?:[^"\\]|\\.)*") cannot `)

// readerRole is the ClusterRole that config/ installs for those who may read the report.
const readerRole = "license-operator-license-report-reader"

// refusal is why there is no report, in the operator's words, and what to do about it.
func (o *options) refusal(response *http.Response) error {
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
	return command.FailWithHint(o.wayOut(response, text), "the operator answers with %d: %s", response.StatusCode, text)
}

// wayOut says what to do about an answer.
func (o *options) wayOut(response *http.Response, words string) string {
	switch response.StatusCode {
	case http.StatusUnauthorized:
		return "Log in again, or use another token.\n" + o.howToGetToken()
	case http.StatusForbidden:
		return grantReport(words)
	case http.StatusBadRequest:
		return "Choose one with --product NAME; --product '*' is for all of them, and for yourself: a vendor should " +
			"not see another's contract."
	case http.StatusNotFound:
		if strings.HasPrefix(words, "404 page not found") { // as Go's server says of paths that it does not have
			return "The operator is older than this plugin and has no report: install a newer one."
		}
		return "See which there are: kubectl get lprod"
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		if seconds, err := strconv.ParseUint(response.Header.Get("Retry-After"), 10, 16); err == nil {
			return fmt.Sprintf("Try again in %s.", text.Plural(int64(seconds), "second"))
		}
		return "Try again."
	default:
		return "Is the operator as new as this plugin?"
	}
}

// grantReport is the command that gives a user the right to the report.
func grantReport(words string) string {
	user := "NAME"
	if found := refusedUser.FindStringSubmatch(words); found != nil {
		if name, err := strconv.Unquote(found[1]); err == nil {
			user = name
		}
	}
	subject, binding := "--user="+text.ShellQuote(user), user
	if account, isAccount := strings.CutPrefix(user, "system:serviceaccount:"); isAccount {
		subject, binding = "--serviceaccount="+text.ShellQuote(account), account
	}
	binding = manifest.ShortenName(manifest.NameOf("license-report-"+binding), manifest.MaxNameLength)
	return fmt.Sprintf("A cluster administrator can grant it; it takes effect within half a minute:\n  kubectl create "+
		"clusterrolebinding %s --clusterrole=%s %s", binding, readerRole, subject)
}
