// Package call executes the plugin under test as a container runtime does.
package call

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/containernetworking/cni/pkg/skel"
	"github.com/containernetworking/cni/pkg/types"
)

// executable has the name of what it stands for: that of a suite (static.test) or of
// the wrapper (static). run.sh says where executables of these names are.
func executable() *exec.Cmd {
	name := strings.TrimSuffix(filepath.Base(os.Args[0]), ".test")
	return exec.Command(filepath.Join(os.Getenv("REFERENCE_PLUGINS"), name))
}

// Pass executes the plugin with this process's environment. Each call leaves a line
// in a file: a suite that never reached the plugin has shown nothing.
func Pass(theirs []byte) ([]byte, error) {
	request, err := translated(theirs)
	if err != nil {
		return nil, err
	}
	calls, err := os.OpenFile(os.Getenv("REFERENCE_CALLS"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer calls.Close()
	fmt.Fprintln(calls, os.Getenv("CNI_COMMAND"))
	plugin := executable()
	plugin.Stdin, plugin.Stderr = bytes.NewReader(request), os.Stderr
	answer, err := plugin.Output()
	if os.Getenv("REFERENCE_WITH") == "staticip" {
		if err := showLeases(theirs); err != nil {
			return nil, err
		}
	}
	if err != nil {
		return nil, failure(answer, err)
	}
	return answer, nil
}

// Result is Pass with what a suite's own code has in its arguments; the verb is in
// the environment already (testutils.CmdAddWithArgs and such).
func Result(args *skel.CmdArgs) ([]byte, error) {
	os.Setenv("CNI_ARGS", args.Args)
	defer os.Unsetenv("CNI_ARGS")
	return Pass(args.StdinData)
}

// Plugin is what cmdAdd and cmdDel of a suite do: it picks the result up from
// standard output.
func Plugin(args *skel.CmdArgs) error {
	result, err := Result(args)
	if err == nil {
		_, err = os.Stdout.Write(result)
	}
	return err
}

// A *types.Error: exit 1 and an error object. Anything else broke the protocol. The
// suites compare whole sentences: msg is that sentence, details is left out, for the
// way out that ours has there is none in theirs.
func failure(answer []byte, failed error) error {
	var exit *exec.ExitError
	var object types.Error
	err := json.Unmarshal(answer, &object)
	if !errors.As(failed, &exit) || exit.ExitCode() != 1 || err != nil || object.Msg == "" {
		return fmt.Errorf("no CNI error but %v: %q", failed, answer)
	}
	return types.NewError(object.Code, theirWords(object.Msg), "")
}
