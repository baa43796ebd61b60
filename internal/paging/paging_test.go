// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package paging

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

var errGone = errors.New("gone")

// pages are the names of nodes, a page after the other; asked has the options of each request.
type pages struct {
	client.Reader
	names [][]string
	asked []client.ListOptions
}

func (p *pages) List(_ context.Context, list client.ObjectList, options ...client.ListOption) error {
	asked := *(&client.ListOptions{}).ApplyOptions(options)
	p.asked = append(p.asked, asked)
	n := 0
	if asked.Continue != "" {
		_, _ = fmt.Sscan(asked.Continue, &n)
	}
	if n == len(p.names) {
		return errGone
	}
	nodes := list.(*corev1.NodeList)
	for _, name := range p.names[n] {
		node := corev1.Node{}
		node.Name = name
		nodes.Items = append(nodes.Items, node)
	}
	if n+1 < len(p.names) || p.names[n] == nil {
		nodes.Continue = fmt.Sprint(n + 1)
	}
	return nil
}

func TestEach(t *testing.T) {
	for name, test := range map[string]struct {
		names     [][]string
		want      []string
		wantError error
	}{
		"nothing":     {names: [][]string{{}}},
		"one page":    {names: [][]string{{"a", "b"}}, want: []string{"a", "b"}},
		"three pages": {names: [][]string{{"a", "b"}, {"c"}, {"d"}}, want: []string{"a", "b", "c", "d"}},
		"an error":    {names: [][]string{{"a"}, nil}, want: []string{"a"}, wantError: errGone},
	} {
		t.Run(name, func(t *testing.T) {
			reader := &pages{names: test.names}
			var got []string
			visit := func(node *corev1.Node) { got = append(got, node.Name) }
			err := Each(t.Context(), reader, &corev1.NodeList{}, visit, client.InNamespace("here"))
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if !errors.Is(err, test.wantError) {
				t.Errorf("got error %v, want %v", err, test.wantError)
			}
			for i, asked := range reader.asked {
				want := client.ListOptions{Namespace: "here", Limit: Size}
				if i > 0 {
					want.Continue = fmt.Sprint(i)
				}
				if diff := cmp.Diff(want, asked); diff != "" {
					t.Errorf("request %d (-want +got):\n%s", i, diff)
				}
			}
		})
	}
}
