// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controlplane

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cri-streaming/pkg/streaming/portforward"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	forwardIdleTimeout   = time.Minute
	forwardStreamTimeout = 30 * time.Second
)

// Kubelet stands in for that of a node whose pods are processes of ours: it forwards ports to them, as the API server
// asks it to for kubectl port-forward, and does nothing else.
type Kubelet struct {
	admin  client.Client
	server *httptest.Server
	node   *corev1.Node

	mu sync.Mutex
	// addresses are where the ports of pods are in fact listened on, by the pods' names.
	addresses map[string]map[int32]string
}

// StartKubelet creates a Node, and starts what stands in for its kubelet on a port of loopback. Stop it.
func (c *ControlPlane) StartKubelet(ctx context.Context, nodeName string) (*Kubelet, error) {
	admin, err := client.New(c.admin, client.Options{})
	if err != nil {
		return nil, fmt.Errorf("creating a client: %w", err)
	}
	k := &Kubelet{admin: admin, addresses: map[string]map[int32]string{}}
	mux := http.NewServeMux()
	mux.HandleFunc("/portForward/{namespace}/{pod}", k.serve)
	// An API server without --kubelet-certificate-authority takes any certificate.
	k.server = httptest.NewTLSServer(mux)
	k.node = &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: nodeName}}
	if err := k.createNode(ctx); err != nil {
		return nil, errors.Join(err, k.Stop(ctx))
	}
	return k, nil
}

func (k *Kubelet) createNode(ctx context.Context) error {
	if err := k.admin.Create(ctx, k.node); err != nil {
		return fmt.Errorf("creating Node %s: %w", k.node.Name, err)
	}
	host, port, err := net.SplitHostPort(k.server.Listener.Addr().String())
	if err != nil {
		return err
	}
	number, err := strconv.ParseInt(port, 10, 32)
	if err != nil {
		return err
	}
	k.node.Status.Addresses = []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: host}}
	k.node.Status.DaemonEndpoints.KubeletEndpoint.Port = int32(number)
	if err := k.admin.Status().Update(ctx, k.node); err != nil {
		return fmt.Errorf("writing the status of Node %s: %w", k.node.Name, err)
	}
	return nil
}

// AddPod creates a pod on the node that is running and ready, with the labels, whose ports are listened on at these
// addresses. Stop deletes it.
func (k *Kubelet) AddPod(
	ctx context.Context, namespace, name string, labels map[string]string, ports map[int32]string,
) (*corev1.Pod, error) {
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: labels},
		Spec: corev1.PodSpec{
			NodeName: k.node.Name,
			Containers: []corev1.Container{{
				Name: "process", Image: "none",
				// The operator's namespace admits no other (Pod Security Standards, restricted).
				SecurityContext: &corev1.SecurityContext{
					AllowPrivilegeEscalation: new(false),
					RunAsNonRoot:             new(true),
					Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
					SeccompProfile:           &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
				},
			}},
		},
	}
	if err := k.admin.Create(ctx, pod); err != nil {
		return nil, fmt.Errorf("creating Pod %s/%s: %w", namespace, name, err)
	}
	k.mu.Lock()
	k.addresses[namespace+"/"+name] = ports
	k.mu.Unlock()
	pod.Status.Phase = corev1.PodRunning
	pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
	if err := k.admin.Status().Update(ctx, pod); err != nil {
		return nil, fmt.Errorf("writing the status of Pod %s/%s: %w", namespace, name, err)
	}
	return pod, nil
}

// Stop deletes the pods and the node, and ends what stands in for the kubelet.
func (k *Kubelet) Stop(ctx context.Context) error {
	var problems []error
	var pods corev1.PodList
	problems = append(problems, k.admin.List(ctx, &pods))
	for i := range pods.Items {
		if pod := &pods.Items[i]; pod.Spec.NodeName == k.node.Name {
			// Nobody would ever say that it has ended.
			problems = append(problems, client.IgnoreNotFound(k.admin.Delete(ctx, pod, client.GracePeriodSeconds(0))))
		}
	}
	problems = append(problems, client.IgnoreNotFound(k.admin.Delete(ctx, k.node)))
	k.server.CloseClientConnections()
	k.server.Close()
	return errors.Join(problems...)
}

func (k *Kubelet) serve(w http.ResponseWriter, r *http.Request) {
	options, err := portforward.NewV4Options(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	pod := r.PathValue("namespace") + "/" + r.PathValue("pod")
	portforward.ServePortForward(w, r, k, pod, "", options, forwardIdleTimeout, forwardStreamTimeout,
		portforward.SupportedProtocols)
}

// PortForward implements portforward.PortForwarder.
func (k *Kubelet) PortForward(ctx context.Context, pod, _ string, port int32, stream io.ReadWriteCloser) error {
	k.mu.Lock()
	address, ok := k.addresses[pod][port]
	k.mu.Unlock()
	if !ok {
		return errors.New("connection refused")
	}
	var dialer net.Dialer
	connection, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	defer connection.Close() //nolint:errcheck // whatever was said, was said
	go func() {
		_, _ = io.Copy(connection, stream)
		_ = connection.Close()
	}()
	_, _ = io.Copy(stream, connection) // It ends in an error where the other side was first.
	return nil
}
