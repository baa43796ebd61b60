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
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/transport/spdy"
	"k8s.io/streaming/pkg/httpstream"

	"github.com/license-operator/license-operator/internal/cli/command"
	"github.com/license-operator/license-operator/internal/text"
)

// tunnel is a connection to a pod through the API server, as kubectl port-forward makes it, but without a port that
// listens on this machine: others who are logged in here could use that.
type tunnel struct {
	httpstream.Stream
	connection httpstream.Connection
	pod        Pod

	// refused is closed once the other end has nothing more to say about why it cannot forward; refusal is what it
	// said.
	refused chan struct{}
	refusal error
}

var _ net.Conn = &tunnel{}

// maxRefusal bounds how much of what the other end says is read, in bytes.
const maxRefusal = 4 << 10

// OpenTunnel opens one to the port of a pod.
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

// dialPod asks the API server to forward: by a WebSocket, or by SPDY where it, or a proxy before it, does not take
// that.
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
	// What the API server says to a WebSocket is an error of the API; to SPDY it is mere text. It asks for different
	// rights to either, until 1.34: get, and create.
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
		return nil, command.FailWithHint(askForForwarding(pod.Namespace), "cannot forward to pod %s: %v", pod.Name, err)
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

// open makes the two streams that a forwarded connection has: one for errors, which nothing is written to, and the one
// that is the connection.
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
	headers.Set(corev1.PortForwardRequestIDHeader, "0") // there is but one
	return t.connection.CreateStream(headers)
}

// Read implements net.Conn. Where the connection ends it says why, if the other end does.
func (t *tunnel) Read(p []byte) (int, error) {
	n, err := t.Stream.Read(p)
	if err != nil {
		err = t.explained(err)
	}
	return n, err
}

// explained is what the other end says of an error; the error where it says nothing.
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
func (t *tunnel) LocalAddr() net.Addr { return podAddress{} }

// RemoteAddr implements net.Conn.
func (t *tunnel) RemoteAddr() net.Addr { return podAddress(t.pod.NamespacedName) }

// SetDeadline implements net.Conn; there are none: closing ends whatever waits.
func (t *tunnel) SetDeadline(time.Time) error { return nil }

// SetReadDeadline implements net.Conn.
func (t *tunnel) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline implements net.Conn.
func (t *tunnel) SetWriteDeadline(time.Time) error { return nil }

// podAddress is where a tunnel leads; empty at this end.
type podAddress types.NamespacedName

// Network implements net.Addr.
func (podAddress) Network() string { return "pod" }

// String implements net.Addr.
func (a podAddress) String() string { return types.NamespacedName(a).String() }
