// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/license-operator/license-operator/internal/cli/command"
	"github.com/license-operator/license-operator/internal/cli/term"
	"github.com/license-operator/license-operator/internal/cli/wait"
)

// passYes is the fix if the command cannot ask.
const passYes = "To apply it without confirmation: --yes"

// ask returns nil only if the user confirms.
func (o *options) ask(ctx context.Context) error {
	if !term.IsTerminal(o.In) {
		return command.FailWithHint("Nothing was applied. "+passYes,
			"standard input is not a terminal, so the command cannot ask for confirmation")
	}
	_, _ = fmt.Fprint(o.ErrOut, "Apply it? [y/N] ")
	answer, err := o.answer(ctx)
	if err != nil { // Otherwise the next output would be on the line of the question.
		_, _ = fmt.Fprintln(o.ErrOut)
	}
	switch {
	case errors.Is(err, wait.ErrInterrupted):
		return command.FailWithHint("", "interrupted: nothing was applied")
	case err != nil && !errors.Is(err, io.EOF):
		return err
	}
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	default:
		return command.FailWithHint("To apply it, run the command again and answer y.",
			"nothing was applied: not confirmed")
	}
}

// answer is the line that the user types; Ctrl-C interrupts it.
func (o *options) answer(ctx context.Context) (string, error) {
	ctx, stop := wait.Interruptible(ctx)
	defer stop()
	var line string
	read := make(chan error, 1)
	go func() { // It continues to read after Ctrl-C, and ends with the process.
		text, err := bufio.NewReader(io.LimitReader(o.In, 1024)).ReadString('\n')
		line = text
		read <- err
	}()
	select {
	case err := <-read:
		return line, err
	case <-ctx.Done():
		return "", wait.ErrInterrupted
	}
}
