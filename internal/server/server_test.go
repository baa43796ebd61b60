// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	"github.com/google/go-cmp/cmp"
)

// testConfig has one certificate for all tests: making its key takes a while.
var testConfig = sync.OnceValues(func() (*tls.Config, error) {
	return tlsConfig(context.Background(), logr.Discard(), "no-such-folder")
})

// pipes is a listener in memory: a test in a bubble of time passes timeouts at once, and sees when they end.
type pipes struct {
	conns  chan net.Conn
	close  sync.Once
	closed chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.close.Do(func() { close(p.closed) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

// received is the caller's end of a connection, which receives 64 KiB by itself, as TCP does.
type received struct {
	net.Conn
	parts  chan []byte
	unread []byte
	close  sync.Once
	closed chan struct{}
}

func receive(c net.Conn) *received {
	r := &received{Conn: c, parts: make(chan []byte, 16), closed: make(chan struct{})}
	go func() {
		defer close(r.parts)
		for {
			part := make([]byte, 4<<10)
			n, err := c.Read(part)
			if err != nil {
				return
			}
			select {
			case r.parts <- part[:n]:
			case <-r.closed:
				return
			}
		}
	}()
	return r
}

func (r *received) Read(p []byte) (int, error) {
	if len(r.unread) == 0 {
		var ok bool
		if r.unread, ok = <-r.parts; !ok {
			return 0, io.EOF
		}
	}
	n := copy(p, r.unread)
	r.unread = r.unread[n:]
	return n, nil
}

func (r *received) Close() error {
	r.close.Do(func() { close(r.closed) })
	return r.Conn.Close()
}

// running is a server that runs, within a bubble of time.
type running struct {
	*pipes
	stop context.CancelFunc
	// done has the error with which it ended.
	done chan error
}

// inBubble runs a test of a server over TLS whose handler is behind goodOnly.
func inBubble(t *testing.T, log logr.Logger, handler http.Handler, test func(t *testing.T, s *running)) {
	t.Helper()
	config, err := testConfig()
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		p := &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
		server := newServer(t.Context(), log, "test", p, goodOnly(log, letIn(handler)), config)
		if server.NeedLeaderElection() {
			t.Error("a replica that does not lead serves nothing")
		}
		ctx, stop := context.WithCancel(context.Background())
		s := &running{pipes: p, stop: stop, done: make(chan error, 1)}
		go func() { s.done <- server.Start(ctx) }()
		test(t, s)
		stop()
		if err := <-s.done; err != nil {
			t.Errorf("stopped with %v", err)
		}
	})
}

// goodOnly lets in who sends the token good.
func goodOnly(_ logr.Logger, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer good" {
			http.Error(w, "go away", http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// text answers with a text.
func text(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) }
}

// caller is a connection to a server.
type caller struct {
	net.Conn
	reader *bufio.Reader
}

// connect connects and says nothing; nil: the server does not listen any more.
func (s *running) connect(t *testing.T) *caller {
	t.Helper()
	ours, theirs := net.Pipe()
	c := receive(ours)
	t.Cleanup(func() { _ = c.Close() })
	select {
	case s.conns <- theirs:
		return &caller{Conn: c, reader: bufio.NewReader(c)}
	case <-s.closed:
		return nil
	}
}

// dial connects and says hello.
func (s *running) dial(t *testing.T) *caller {
	t.Helper()
	config := &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2", "http/1.1"}}
	c := tls.Client(s.connect(t).Conn, config)
	if err := c.HandshakeContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	if protocol := c.ConnectionState().NegotiatedProtocol; protocol != "http/1.1" {
		t.Errorf("it speaks %q", protocol)
	}
	return &caller{Conn: c, reader: bufio.NewReader(c)}
}

// send sends what the server may not want to read.
func (c *caller) send(text string) { go func() { _, _ = io.WriteString(c.Conn, text) }() }

// answer is all of an answer that matters here.
type answer struct {
	Code int
	Body string
	// Closes: the server says that it closes the connection.
	Closes bool
}

// answer reads an answer; none is the zero value.
func (c *caller) answer(t *testing.T) answer {
	t.Helper()
	response, err := http.ReadResponse(c.reader, nil)
	if err != nil {
		return answer{}
	}
	defer response.Body.Close() //nolint:errcheck // nothing was written
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Errorf("reading the answer: %v", err)
	}
	return answer{response.StatusCode, strings.TrimSpace(string(body)), response.Close}
}

func (c *caller) expect(t *testing.T, want answer) {
	t.Helper()
	if diff := cmp.Diff(want, c.answer(t)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// waitClosed waits until the server closes the connection.
func (c *caller) waitClosed() { _, _ = io.Copy(io.Discard, c.reader) }

const (
	stranger = "GET / HTTP/1.1\r\nHost: x\r\n"
	friend   = stranger + "Authorization: Bearer good\r\n"
	end      = "\r\n"
)

var (
	served        = answer{http.StatusOK, "hello", false}
	servedAtLast  = answer{http.StatusOK, "hello", true}
	refused       = answer{http.StatusUnauthorized, "go away", true}
	tooLarge      = answer{http.StatusRequestHeaderFieldsTooLarge, "431 Request Header Fields Too Large", true}
	plainHTTP     = answer{http.StatusBadRequest, "Client sent an HTTP request to an HTTPS server.", true}
	twoKiB        = "X-Other: " + strings.Repeat("a", 2<<10) + "\r\n"
	longToken     = "X-Token: " + strings.Repeat("a", 16<<10) + "\r\n"
	endlessHeader = strings.Repeat("X-Flood: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n", 1<<20/42)
)

func TestCallers(t *testing.T) {
	const endless = "Content-Length: 100000\r\n" + end
	for name, test := range map[string]struct {
		// silent: no TLS handshake comes before what is sent.
		silent bool
		sends  string
		want   answer
		// open is how long the connection is; 0: the answer is its end.
		open time.Duration
	}{
		"silence":                     {silent: true, open: 5 * time.Second},
		"half a handshake":            {silent: true, sends: "\x16\x03\x01", open: 5 * time.Second},
		"plain HTTP":                  {silent: true, sends: stranger + end, want: plainHTTP},
		"silence after the handshake": {open: 5 * time.Second},
		"half the headers":            {sends: friend, open: 5 * time.Second},
		"a friend":                    {sends: friend + end, want: served, open: 90 * time.Second},
		"a friend's half request":     {sends: friend + end + friend, want: served, open: 5 * time.Second},
		"a stranger":                  {sends: stranger + end, want: refused},
		"the longest token":           {sends: friend + longToken + twoKiB + end, want: served, open: 90 * time.Second},
		"headers that are too large":  {sends: friend + longToken + longToken + end, want: tooLarge},
		"endless headers":             {sends: friend + endlessHeader, want: tooLarge},
		"a friend with a body":        {sends: friend + "Content-Length: 4\r\n" + end + "body", want: servedAtLast},
		"a friend's endless body":     {sends: friend + endless, want: servedAtLast},
		"a stranger's endless body":   {sends: stranger + endless, want: refused},
		"endless chunks":              {sends: stranger + "Transfer-Encoding: chunked\r\n" + end, want: refused},
		"a body that is announced":    {sends: stranger + "Expect: 100-continue\r\n" + endless, want: refused},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, logr.Discard(), text("hello"), func(t *testing.T, s *running) {
				connect := s.dial
				if test.silent {
					connect = s.connect
				}
				c := connect(t)
				start := time.Now()
				c.send(test.sends)
				c.expect(t, test.want)
				c.waitClosed()
				if open := time.Since(start); open != test.open {
					t.Errorf("the connection was open for %s, want %s", open, test.open)
				}
			})
		})
	}
}

// A caller that sends something now and then has no more time than one that sends nothing.
func TestTricklesEnd(t *testing.T) {
	inBubble(t, logr.Discard(), text("hello"), func(t *testing.T, s *running) {
		c := s.dial(t)
		start := time.Now()
		_, err := io.WriteString(c.Conn, stranger)
		for err == nil {
			time.Sleep(900 * time.Millisecond)
			_, err = io.WriteString(c.Conn, "X-Trickle: a\r\n")
		}
		if took := time.Since(start); took != 5400*time.Millisecond {
			t.Errorf("the server took headers for %s", took)
		}
	})
}

// crypto/tls would take 64 KiB of a ClientHello from anyone.
func TestHandshakesHaveLimits(t *testing.T) {
	record := "\x16\x03\x01\x40\x00"
	inBubble(t, logr.Discard(), text("hello"), func(t *testing.T, s *running) {
		c := s.connect(t)
		start := time.Now()
		c.send(record + "\x01\x00\xff\xff" + strings.Repeat("a", 1<<14-4) +
			strings.Repeat(record+strings.Repeat("a", 1<<14), 2))
		c.waitClosed()
		if open := time.Since(start); open != 0 {
			t.Errorf("the connection was open for %s", open)
		}
	})
}

// Who was let in may send more than a stranger, one request after the other.
func TestFriendsMaySendMore(t *testing.T) {
	inBubble(t, logr.Discard(), text("hello"), func(t *testing.T, s *running) {
		c := s.dial(t)
		for range 10 {
			c.send(friend + longToken + end)
			c.expect(t, served)
			time.Sleep(time.Minute)
		}
	})
}

func TestAnswersThatNobodyReadsEnd(t *testing.T) {
	took := make(chan time.Duration, 1)
	handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		start := time.Now()
		for {
			if _, err := w.Write(make([]byte, 1<<20)); err != nil {
				took <- time.Since(start)
				return
			}
		}
	})
	inBubble(t, logr.Discard(), handler, func(t *testing.T, s *running) {
		s.dial(t).send(friend + end)
		time.Sleep(time.Minute)
		// crypto/tls tries for 5 more seconds to say that it closes the connection.
		if len(took) == 0 || <-took != 35*time.Second {
			t.Error("the handler goes on writing")
		}
	})
}

// The time for a request is not that for its answer: net/http cancels a handler when the former is over.
func TestHandlersMayTakeLonger(t *testing.T) {
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
			http.Error(w, r.Context().Err().Error(), http.StatusInternalServerError)
		case <-time.After(29 * time.Second):
			_, _ = io.WriteString(w, "hello")
		}
	})
	inBubble(t, logr.Discard(), handler, func(t *testing.T, s *running) {
		c := s.dial(t)
		for range 2 {
			c.send(friend + end)
			c.expect(t, served)
		}
	})
}

func TestConnectionsHaveALimit(t *testing.T) {
	inBubble(t, logr.Discard(), text("hello"), func(t *testing.T, s *running) {
		kept := s.dial(t)
		kept.send(friend + end)
		kept.expect(t, served)
		silent := make([]*caller, maxConnections-1)
		for i := range silent {
			silent[i] = s.connect(t)
		}
		start := time.Now()
		// One more takes the place of the one that has waited longest, and of no other.
		late := s.dial(t)
		silent[0].waitClosed()
		late.send(friend + end)
		late.expect(t, served)
		if passed := time.Since(start); passed != 0 {
			t.Errorf("it took %s", passed)
		}
		silent[1].waitClosed()
		if passed := time.Since(start); passed != 5*time.Second {
			t.Errorf("another one was closed after %s", passed)
		}
		for _, c := range []*caller{kept, late} {
			c.send(friend + end)
			c.expect(t, served)
		}
	})
}

func TestFriendsHaveALimit(t *testing.T) {
	inBubble(t, logr.Discard(), text("hello"), func(t *testing.T, s *running) {
		friends := make([]*caller, maxConnections)
		for i := range friends {
			friends[i] = s.dial(t)
			friends[i].send(friend + end)
			friends[i].expect(t, served)
		}
		start := time.Now()
		s.connect(t).waitClosed()
		if passed := time.Since(start); passed != 0 {
			t.Errorf("one too many was closed after %s", passed)
		}
		// Who leaves makes room.
		_ = friends[0].Close()
		synctest.Wait()
		for _, c := range []*caller{s.dial(t), friends[1]} {
			c.send(friend + end)
			c.expect(t, served)
		}
	})
}

// However many connect and send nothing, a caller that sends a request is answered at once.
func TestCrowds(t *testing.T) {
	inBubble(t, logr.Discard(), text("hello"), func(t *testing.T, s *running) {
		start := time.Now()
		for range 5 {
			for range 2 * maxConnections {
				s.connect(t)
			}
			c := s.dial(t)
			c.send(friend + end)
			c.expect(t, served)
		}
		if passed := time.Since(start); passed != 0 {
			t.Errorf("it took %s", passed)
		}
	})
}

func TestStop(t *testing.T) {
	handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		time.Sleep(3 * time.Second)
		_, _ = io.WriteString(w, "hello")
	})
	inBubble(t, logr.Discard(), handler, func(t *testing.T, s *running) {
		c, silent := s.dial(t), s.dial(t)
		c.send(friend + end)
		synctest.Wait()
		start := time.Now()
		s.stop()
		synctest.Wait()
		if s.connect(t) != nil {
			t.Error("it goes on listening")
		}
		c.expect(t, servedAtLast)
		silent.waitClosed()
		if passed := time.Since(start); passed > 5*time.Second {
			t.Errorf("it took %s", passed)
		}
	})
}

func TestLog(t *testing.T) {
	lines := make(chan string, 10)
	log := funcr.New(func(_, line string) { lines <- line }, funcr.Options{Verbosity: 1})
	handler := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("oops") })
	inBubble(t, log, handler, func(t *testing.T, s *running) {
		plain := s.connect(t)
		plain.send(stranger + end)
		plain.waitClosed()
		c := s.dial(t)
		c.send(friend + end)
		c.waitClosed()
	})
	for _, want := range []string{
		`"level"=1 "msg"="HTTP connection failed" "details"="http: TLS handshake error from `,
		`"msg"="HTTP server failed" "error"=null "details"="http: panic serving `,
	} {
		if got := <-lines; !strings.HasPrefix(got, want) {
			t.Errorf("got %s\nwant %s", got, want)
		}
	}
	if len(lines) > 0 {
		t.Errorf("there is more: %s", <-lines)
	}
}

func TestAnAddressInUse(t *testing.T) {
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close() //nolint:errcheck // nothing was written
	address := listener.Addr().String()
	_, errSecure := Secure(t.Context(), logr.Discard(), address, goodOnly, nil)
	_, errProbes := Probes(t.Context(), logr.Discard(), address, nil, nil)
	for name, err := range map[string]error{"secure": errSecure, "probes": errProbes} {
		want := fmt.Sprintf("listening for the %s server: listen tcp %s: bind: address already in use", name, address)
		if err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
