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

// refusedUser finds the user in the operator's answer 403.
var refusedUser = regexp.MustCompile(`^User ("(?:[^"\\]|\\.)*") cannot `)

// readerRole is the ClusterRole of config/ that allows reading the report.
const readerRole = "license-operator-license-report-reader"

// refusal returns an error with the operator's answer, and what to do about it.
func (o *options) refusal(response *http.Response) error {
	// Enough to read the whole token, if it was sent back. An answer that is cut off is better than none.
	body, _ := io.ReadAll(io.LimitReader(response.Body, int64(maxAnswer+len(o.token))))
	// On one line, so that it cannot look like several of our lines.
	text := strings.Join(strings.Fields(strings.ReplaceAll(string(body), o.token, "[token]")), " ")
	if len(text) > maxAnswer {
		text = text[:maxAnswer] + "…"
	}
	if text == "" {
		text = http.StatusText(response.StatusCode)
	}
	return command.FailWithHint(o.wayOut(response, text), "the operator answered %d: %s", response.StatusCode, text)
}

// wayOut says what to do about an answer of the operator.
func (o *options) wayOut(response *http.Response, words string) string {
	switch response.StatusCode {
	case http.StatusUnauthorized:
		return "Log in again, or use another token.\n" + o.howToGetToken()
	case http.StatusForbidden:
		return grantReport(words)
	case http.StatusBadRequest:
		return "Choose one with --product NAME. Use --product '*', which is all of them, only for yourself: a vendor " +
			"should not see the contract of another."
	case http.StatusNotFound:
		if strings.HasPrefix(words, "404 page not found") { // Go's answer for an unknown path
			return "The operator is older than this plugin and does not have the report: install a newer one."
		}
		return "List them: kubectl get lprod"
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		if seconds, err := strconv.ParseUint(response.Header.Get("Retry-After"), 10, 16); err == nil {
			return fmt.Sprintf("Try again in %s.", text.Plural(int64(seconds), "second"))
		}
		return "Try again."
	default:
		return "Is the operator as new as this plugin?"
	}
}

// grantReport returns the command that gives a user access to the report.
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
