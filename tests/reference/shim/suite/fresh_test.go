package main

import (
	"os"

	"github.com/onsi/ginkgo/v2"
)

// Each case starts on a fresh node, as each has a fresh dataDir of host-local.
var _ = ginkgo.BeforeEach(func() {
	for _, dir := range []string{"/run/staticip", "/var/lib/cni/networks"} {
		if err := os.RemoveAll(dir); err != nil {
			ginkgo.Fail(err.Error())
		}
	}
	if err := os.MkdirAll("/run/staticip", 0o755); err != nil {
		ginkgo.Fail(err.Error())
	}
})
