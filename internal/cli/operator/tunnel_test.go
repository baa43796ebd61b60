// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package operator

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"k8s.io/cri-streaming/pkg/streaming/portforward"

	"github.com/license-operator/license-operator/internal/cli/command"
)

// forwarder is the other end of the connection.
type forwarder func(port int32, stream io.ReadWriteCloser) error

// PortForward implements portforward.PortForwarder.
func (f forwarder) PortForward(_ context.Context, _, _ string, port int32, stream io.ReadWriteCloser) error {
	return f(port, stream)
}

// withoutWebSockets is an API server below a path, as behind a proxy, that only forwards by SPDY.
func withoutWebSockets(t *testing.T, refused int, forward forwarder) *rest.Config {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodGet:
			http.Error(w, "no WebSockets here", refused)
		case r.URL.Path == "/clusters/one/api/v1/namespaces/operators/pods/operator-0/portforward":
			portforward.ServePortForward(w, r, forward, "operator-0", "", &portforward.V4Options{}, time.Minute,
				time.Minute, portforward.SupportedProtocols)
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(server.Close)
	return &rest.Config{Host: server.URL + "/clusters/one"}
}

var operatorZero = Pod{types.NamespacedName{Namespace: "operators", Name: "operator-0"}, 9443}

func TestTunnelWithoutWebSockets(t *testing.T) {
	for _, refused := range []int{http.StatusBadRequest, http.StatusForbidden, http.StatusNotFound} {
		config := withoutWebSockets(t, refused, func(port int32, stream io.ReadWriteCloser) error {
			if port != operatorZero.Port {
				t.Errorf("forwarded to port %d", port)
			}
			_, err := io.Copy(stream, io.LimitReader(stream, 5))
			return err
		})
		connection, err := OpenTunnel(config, operatorZero)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(connection, "hello"); err != nil {
			t.Error(err)
		}
		if got, err := io.ReadAll(connection); string(got) != "hello" || err != nil {
			t.Errorf("got %q, %v", got, err)
		}
		if got := connection.RemoteAddr(); got.Network() != "pod" || got.String() != "operators/operator-0" {
			t.Errorf("it leads to %s %s", got.Network(), got)
		}
		if err := connection.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestTunnelThatIsRefused connects to a port without a listener. The error depends on what arrives first: the reason,
// or the end of the connection.
func TestTunnelThatIsRefused(t *testing.T) {
	config := withoutWebSockets(t,
		http.StatusBadRequest, func(int32, io.ReadWriteCloser) error { return errors.New("connection refused") })
	connection, err := OpenTunnel(config, operatorZero)
	if err == nil {
		var got int
		got, err = connection.Read(make([]byte, 1))
		if got > 0 {
			t.Error("something was read")
		}
		defer connection.Close() //nolint:errcheck // nothing was written
	}
	if !errors.Is(err, io.EOF) && !strings.HasSuffix(err.Error(), ": connection refused") &&
		err.Error() != "Stream reset" {
		t.Errorf("got %v", err)
	}
}

func TestTunnelToNowhere(t *testing.T) {
	config := withoutWebSockets(t, http.StatusBadRequest, nil)
	_, err := OpenTunnel(config, Pod{types.NamespacedName{Namespace: "operators", Name: "gone"}, 8443})
	var known *command.UserError
	if !errors.As(err, &known) || known.Hint != "Does this work? kubectl port-forward -n operators gone :8443" ||
		!strings.HasPrefix(known.Message, "cannot forward to pod gone: unable to upgrade connection: ") {
		t.Errorf("got %v", err)
	}
}

// TestTunnelEnds closes a tunnel without traffic: a read must not wait forever.
func TestTunnelEnds(t *testing.T) {
	config := withoutWebSockets(t, http.StatusBadRequest, func(_ int32, stream io.ReadWriteCloser) error {
		_, err := io.Copy(io.Discard, stream)
		return err
	})
	connection, err := OpenTunnel(config, operatorZero)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() {
		_, err := connection.Read(make([]byte, 1))
		done <- err
	}()
	if err := connection.Close(); err != nil {
		t.Error(err)
	}
	if err := <-done; err == nil {
		t.Error("something was read")
	}
}
