package call

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
)

const leases = "/run/staticip/leases/network"

// showLeases makes in a case's dataDir, after each call, what host-local would have
// there: from the leases alone, so that the case sees whether they came and went.
func showLeases(request []byte) error {
	var conf struct {
		Name string
		IPAM struct{ DataDir string }
	}
	if err := json.Unmarshal(request, &conf); err != nil || conf.IPAM.DataDir == "" {
		return nil
	}
	shown := filepath.Join(conf.IPAM.DataDir, conf.Name)
	if err := os.RemoveAll(shown); err != nil {
		return err
	}
	files, err := os.ReadDir(filepath.Join(leases, conf.Name))
	if os.IsNotExist(err) {
		return nil
	}
	for _, file := range files {
		if err == nil {
			err = showFile(filepath.Join(leases, conf.Name, file.Name()), shown)
		}
	}
	return err
}

func showFile(path, shown string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	name, contents := filepath.Base(path), ""
	if set, ok := strings.CutPrefix(name, ".last."); ok {
		name, contents = "last_reserved_ip."+set, strings.TrimSpace(string(text))
	} else {
		var lease struct{ Container, Ifname string }
		if err := json.Unmarshal(text, &lease); err != nil {
			return err
		}
		contents = lease.Container + "\r\n" + lease.Ifname
	}
	if err := os.MkdirAll(shown, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(shown, name), []byte(contents), 0o600)
}
