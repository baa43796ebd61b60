// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controlplane

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

// The stages of a request that AuditEvents tells of.
const (
	// StageResponseStarted is when the answer to a watch began.
	StageResponseStarted = "ResponseStarted"
	// StageResponseComplete is when a request was answered to the end.
	StageResponseComplete = "ResponseComplete"
)

// AuditEvent is one stage of one request: every request has a ResponseComplete at its end, a watch a ResponseStarted
// before.
type AuditEvent struct {
	// ID is that of the request.
	ID string
	// Stage of the request.
	Stage string
	// Verb is as in RBAC: get, list, watch, create, update, patch, delete.
	Verb string
	// Group, Resource, Subresource, Namespace, Name say what the request was about; empty where it was not about a
	// resource, or not about one object.
	Group, Resource, Subresource, Namespace, Name string
	// Path is the request's URI.
	Path string
	// User made the request.
	User string
	// Code is the HTTP status of the answer; zero: none.
	Code int
	// Received is when the request came in, Time when it reached the stage.
	Received, Time time.Time
}

// auditPolicy logs what the operator's identity does and nothing else.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
  users: ["` + operatorUser + `"]
- level: None
`

func (c *ControlPlane) configureAudit(server *envtest.APIServer) error {
	policy := filepath.Join(c.dir, "audit-policy.yaml")
	if err := os.WriteFile(policy, []byte(auditPolicy), 0o600); err != nil {
		return err
	}
	c.auditLog = filepath.Join(c.dir, "audit.log")
	server.Configure().
		Set("audit-policy-file", policy).
		Set("audit-log-path", c.auditLog).
		// An event is in the file when the request is over, and stays there.
		Set("audit-log-mode", "blocking").
		Set("audit-log-maxsize", "4096")
	return nil
}

// AuditEvents returns what the operator's identity has done so far, in the order in which it was logged. Options.Audit
// has to be set.
func (c *ControlPlane) AuditEvents() ([]AuditEvent, error) {
	if c.auditLog == "" {
		return nil, errors.New("this control plane was started without Options.Audit")
	}
	return ReadAudit(c.auditLog)
}

// ReadAudit returns what an audit log tells, of all users, in the order in which it was logged. A log that is not
// there yet tells nothing.
func ReadAudit(path string) ([]AuditEvent, error) {
	file, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil // nothing to log yet
	}
	if err != nil {
		return nil, fmt.Errorf("reading the audit log: %w", err)
	}
	defer file.Close() //nolint:errcheck // only read
	return readAudit(file)
}

func readAudit(from io.Reader) ([]AuditEvent, error) {
	var events []AuditEvent
	lines := bufio.NewReader(from)
	for {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return events, nil // a line without its end is still being written
		}
		if err != nil {
			return nil, fmt.Errorf("reading the audit log: %w", err)
		}
		event, err := parseAudit(line)
		if err != nil {
			return nil, err
		}
		events = append(events, event)
	}
}

func parseAudit(line []byte) (AuditEvent, error) {
	var logged struct {
		AuditID, Stage, Verb, RequestURI         string
		User                                     struct{ Username string }
		ObjectRef                                struct{ APIGroup, Resource, Subresource, Namespace, Name string }
		ResponseStatus                           struct{ Code int }
		RequestReceivedTimestamp, StageTimestamp time.Time
	}
	if err := json.Unmarshal(line, &logged); err != nil {
		return AuditEvent{}, fmt.Errorf("reading a line of the audit log: %w", err)
	}
	ref := logged.ObjectRef
	return AuditEvent{
		ID: logged.AuditID, Stage: logged.Stage, Verb: logged.Verb,
		Group: ref.APIGroup, Resource: ref.Resource, Subresource: ref.Subresource, Namespace: ref.Namespace,
		Name: ref.Name,
		Path: logged.RequestURI, User: logged.User.Username, Code: logged.ResponseStatus.Code,
		Received: logged.RequestReceivedTimestamp, Time: logged.StageTimestamp,
	}, nil
}
