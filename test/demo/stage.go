// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/license-operator/license-operator/internal/restriction/calico"
	"github.com/license-operator/license-operator/test/controlplane"
)

// stage is what the story is told on: a control plane with the operator on it, somebody who watches, and a shell to act
// from.
type stage struct {
	ctx      context.Context
	cancel   context.CancelCauseFunc
	out      *console
	plane    *controlplane.ControlPlane
	manager  *controlplane.Manager
	observer *observer
	// dir is where the shell works.
	dir string
	env []string
	// binaries is the folder of ours.
	binaries string
}

// openStage starts everything. The context of the stage ends with ctx, and with the operator.
func openStage(ctx context.Context, out *console, binaries string) (*stage, error) {
	s := &stage{out: out, binaries: binaries}
	s.ctx, s.cancel = context.WithCancelCause(ctx)
	if err := s.open(); err != nil {
		return nil, errors.Join(causeOf(s.ctx, err), s.close())
	}
	return s, nil
}

func (s *stage) open() error {
	if err := s.startControlPlane(); err != nil {
		return err
	}
	if err := s.startOperator(); err != nil {
		return err
	}
	if err := s.prepareShell(); err != nil {
		return err
	}
	var err error
	s.observer, err = startObserver(s.ctx, s.plane.Admin(), s.out)
	return err
}

func (s *stage) startControlPlane() error {
	done := s.out.progress("Starting etcd and kube-apiserver")
	plane, err := controlplane.Start(s.ctx, controlplane.Options{})
	if err != nil {
		return err
	}
	s.plane = plane
	done("on " + strings.TrimSuffix(strings.TrimPrefix(plane.Admin().Host, "https://"), "/"))
	done = s.out.progress("Installing the CRDs and the operator's rights")
	if err := plane.InstallOperator(s.ctx); err != nil {
		return err
	}
	done("config/default")
	return s.installCalico()
}

// installCalico installs the kinds of Calico's tiers and policies, and the tier that every Calico has. There is no
// traffic here, and nothing that would apply them to it.
func (s *stage) installCalico() error {
	done := s.out.progress("Installing Calico's own tiers and policies")
	if err := s.plane.InstallCalico(s.ctx); err != nil {
		return err
	}
	tier := &unstructured.Unstructured{
		Object: map[string]any{"spec": map[string]any{"order": int64(1_000_000), "defaultAction": "Deny"}},
	}
	tier.SetGroupVersionKind(calico.Version.WithKind("Tier"))
	tier.SetName(calico.DefaultTier)
	if err := s.plane.Install(s.ctx, tier); err != nil {
		return err
	}
	done("their CRDs, and tier default")
	return nil
}

func (s *stage) startOperator() error {
	done := s.out.progress("Starting the operator")
	manager, err := s.plane.StartManager(s.ctx,
		controlplane.ManagerOptions{Binary: filepath.Join(s.binaries, "manager")})
	if err != nil {
		return err
	}
	s.manager = manager
	if err := manager.WaitReady(s.ctx); err != nil {
		return err
	}
	done(fmt.Sprintf("process %d, with the rights of its ServiceAccount", manager.PID()))
	go func() {
		<-manager.Done()
		s.cancel(errors.New("the operator has ended")) // comes too late to matter where it was asked to
	}()
	return nil
}

func (s *stage) prepareShell() error {
	s.dir = filepath.Join(s.plane.Dir(), "demo")
	if err := os.Mkdir(s.dir, 0o700); err != nil {
		return err
	}
	if err := s.plane.WriteKubeconfig(s.kubeconfig(), s.plane.Admin()); err != nil {
		return err
	}
	s.env = append(os.Environ(),
		"PATH="+strings.Join([]string{s.binaries, filepath.Dir(s.plane.Kubectl()), os.Getenv("PATH")},
			string(os.PathListSeparator)),
		"KUBECONFIG="+s.kubeconfig(),
		// kubectl would write into the home folder.
		"KUBECACHEDIR="+filepath.Join(s.plane.Dir(), "kubectl-cache"),
	)
	return nil
}

func (s *stage) kubeconfig() string { return filepath.Join(s.plane.Dir(), "kubeconfig") }

// close stops the operator, then what it ran on.
func (s *stage) close() error {
	var problems []error
	if s.manager != nil && s.ctx.Err() == nil {
		problems = append(problems, s.manager.Stop())
	}
	s.cancel(context.Canceled)
	if s.observer != nil {
		s.observer.wait()
	}
	if s.plane != nil {
		problems = append(problems, s.plane.Stop())
	}
	return errors.Join(problems...)
}

// explain adds to an error what the operator had to say about it.
func (s *stage) explain(err error) error {
	if err == nil {
		return nil
	}
	err = causeOf(s.ctx, err)
	if errors.Is(err, controlplane.ErrInterrupted) {
		return err
	}
	return fmt.Errorf("%w\n\nThe end of the operator's log:\n%s", err, s.manager.LogTail(20))
}

// shell shows a command and runs it as it is shown. What it prints is returned.
func (s *stage) shell(command string) (string, error) {
	s.out.command(command)
	cmd := exec.CommandContext(s.ctx, "/bin/sh", "-ec", command)
	cmd.Dir, cmd.Env = s.dir, s.env
	// A group of its own, so that an interruption ends kubectl as well, and ends it once.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	var complaint strings.Builder
	cmd.Stderr = &complaint
	output, err := cmd.Output()
	if err != nil {
		return "", causeOf(s.ctx,
			fmt.Errorf("%s: %w\n%s%s", strings.Fields(command)[0], err, output, complaint.String()))
	}
	return string(output), nil
}

// show runs a command and shows what it prints.
func (s *stage) show(command string) error {
	output, err := s.shell(command)
	if err != nil {
		return err
	}
	s.out.table(output)
	return nil
}

// write writes a file that the shell sees.
func (s *stage) write(name, content string) error {
	return os.WriteFile(filepath.Join(s.dir, name), []byte(content), 0o600)
}

func (s *stage) read(name string) (string, error) {
	content, err := os.ReadFile(filepath.Join(s.dir, name))
	return string(content), err
}

// stayUp tells what happens until it is interrupted, which is how it ends well.
func (s *stage) stayUp() error {
	s.out.title("It stays up, and goes on telling what happens. In another terminal:")
	s.out.block(fmt.Sprintf(`export KUBECONFIG=%s
export PATH=%s:%s:$PATH
kubectl get lprod,lk
kubectl get globalnetworkpolicies
kubectl describe lprod %s
kubectl license issue --signer %s \
  --product %s --customer Me --valid-for 30s --grace 20s | kubectl apply -f -
kubectl delete lk %s`,
		s.kubeconfig(), filepath.Dir(s.plane.Kubectl()), s.binaries, product, filepath.Join(s.dir, vendorDir), product,
		stagedKey))
	s.out.line(fmt.Sprintf("With that key alone %s is restricted 50 seconds after it was issued. Ctrl-C stops "+
		"everything and removes it.", product))
	s.out.blank()
	<-s.ctx.Done()
	if err := context.Cause(s.ctx); !errors.Is(err, controlplane.ErrInterrupted) {
		return err
	}
	s.out.blank()
	s.out.line("Stopping. Nothing stays behind.")
	return nil
}
