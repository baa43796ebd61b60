// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package operator

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/transport/spdy"
	"k8s.io/streaming/pkg/httpstream"

	"github.com/license-operator/license-operator/internal/cli/command"
	"github.com/license-operator/license-operator/internal/text"
)

// tunnel is a connection to a pod through the API server, as with kubectl port-forward, but without a port on this
// machine: other users of it could connect to that.
type tunnel struct {
	httpstream.Stream
	connection httpstream.Connection
	pod        Pod

	// refused is closed after refusal is set: why the other end cannot forward; nil: it did not say.
	refused chan struct{}
	refusal error
}

var _ net.Conn = &tunnel{}

// maxRefusal limits the error message of the other end, in bytes.
const maxRefusal = 4 << 10

// OpenTunnel connects to the port of a pod.
func OpenTunnel(config *rest.Config, pod Pod) (net.Conn, error) {
	connection, err := dialPod(config, pod)
	if err != nil {
		return nil, err
	}
	t := &tunnel{connection: connection, pod: pod, refused: make(chan struct{})}
	if err := t.open(); err != nil {
		return nil, errors.Join(err, connection.Close())
	}
	return t, nil
}

// dialPod asks the API server to forward, by a WebSocket or, if it or a proxy refuses that, by SPDY.
func dialPod(config *rest.Config, pod Pod) (httpstream.Connection, error) {
	server, _, err := rest.DefaultServerUrlFor(config)
	if err != nil {
		return nil, err
	}
	url := server.JoinPath("api/v1/namespaces", pod.Namespace, "pods", pod.Name, "portforward")
	webSocket, err := portforward.NewSPDYOverWebsocketDialerForStreaming(url, config)
	if err != nil {
		return nil, err
	}
	transport, upgrader, err := spdy.RoundTripperFor(config)
	if err != nil {
		return nil, err
	}
	// The API server answers a WebSocket with an API error, but SPDY with plain text. Before 1.34 a WebSocket needs the
	// permission get, and SPDY create.
	var answer error
	dialer := portforward.NewFallbackDialerForStreaming(webSocket,
		spdy.NewDialerForStreaming(upgrader, &http.Client{Transport: transport}, http.MethodPost,
			url), func(err error) bool {
			var upgrade *httpstream.UpgradeFailureError
			if errors.As(err, &upgrade) {
				answer = upgrade.Cause
			}
			return httpstream.IsUpgradeFailure(err) || httpstream.IsHTTPSProxyError(err)
		})
	connection, protocol, err := dialer.Dial(portforward.PortForwardProtocolV1Name)
	switch {
	case apierrors.IsForbidden(answer) && err != nil:
		return nil, command.FailWithHint("Ask a cluster administrator for "+forwardingRights(pod.Namespace)+
			", or to do this for you.", "cannot forward to pod %s: %v", pod.Name, err)
	case err != nil:
		return nil, command.FailWithHint(fmt.Sprintf("Does this work? kubectl port-forward -n %s %s :%d",
			text.ShellQuote(pod.Namespace), text.ShellQuote(pod.Name), pod.Port),
			"cannot forward to pod %s: %v", pod.Name, err)
	case protocol != portforward.PortForwardProtocolV1Name:
		return nil,
			errors.Join(fmt.Errorf("cannot forward to pod %s: the API server wants protocol %q", pod.Name, protocol),
				connection.Close())
	}
	return connection, nil
}

// open makes the two streams of a forwarded connection: one to read errors from, and one for the data.
func (t *tunnel) open() error {
	failures, err := t.stream(corev1.StreamTypeError)
	if err != nil {
		return err
	}
	if err := failures.Close(); err != nil {
		return err
	}
	go func() {
		defer close(t.refused)
		if text, _ := io.ReadAll(io.LimitReader(failures, maxRefusal)); len(text) > 0 {
			t.refusal = errors.New(string(text))
		}
	}()
	if t.Stream, err = t.stream(corev1.StreamTypeData); err != nil {
		return t.explained(err)
	}
	return nil
}

func (t *tunnel) stream(kind string) (httpstream.Stream, error) {
	headers := http.Header{}
	headers.Set(corev1.StreamType, kind)
	headers.Set(corev1.PortHeader, strconv.Itoa(int(t.pod.Port)))
	headers.Set(corev1.PortForwardRequestIDHeader, "0") // the only request
	return t.connection.CreateStream(headers)
}

// Read implements net.Conn. Its error is the message of the other end, if there is one.
func (t *tunnel) Read(p []byte) (int, error) {
	n, err := t.Stream.Read(p)
	if err != nil {
		err = t.explained(err)
	}
	return n, err
}

// explained returns the message of the other end; err if there is none.
func (t *tunnel) explained(err error) error {
	select {
	case <-t.refused:
	case <-t.connection.CloseChan():
	}
	select {
	case <-t.refused:
		if t.refusal != nil {
			return t.refusal
		}
	default:
	}
	return err
}

// Close implements net.Conn.
func (t *tunnel) Close() error { return t.connection.Close() }

// LocalAddr implements net.Conn.
func (t *tunnel) LocalAddr() net.Addr { return &net.UnixAddr{Net: "pod"} }

// RemoteAddr implements net.Conn.
func (t *tunnel) RemoteAddr() net.Addr { return &net.UnixAddr{Net: "pod", Name: t.pod.String()} }

// SetDeadline implements net.Conn. It does nothing: Close ends all that waits.
func (t *tunnel) SetDeadline(time.Time) error { return nil }

// SetReadDeadline implements net.Conn.
func (t *tunnel) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline implements net.Conn.
func (t *tunnel) SetWriteDeadline(time.Time) error { return nil }
