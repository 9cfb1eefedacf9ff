// Command cri asks a container runtime for pod sandboxes, as the kubelet does:
//
//	cri SOCKET run NAMESPACE NAME UID ATTEMPT prints the sandbox's id
//	cri SOCKET status ID     prints STATE and the addresses, one per line
//	cri SOCKET stop|remove ID
//	cri SOCKET list          prints the ids of all sandboxes
//	cri SOCKET network       prints "true" or "false REASON: MESSAGE"
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

var errUsage = errors.New("usage: cri SOCKET run NAMESPACE NAME UID ATTEMPT | status ID | stop ID | remove ID | list | network")

func run(ctx context.Context, c cri.RuntimeServiceClient, namespace, name, uid, attempt string) error {
	number, err := strconv.ParseUint(attempt, 10, 32)
	if err != nil {
		return err
	}
	config := &cri.PodSandboxConfig{
		Metadata: &cri.PodSandboxMetadata{Namespace: namespace, Name: name, Uid: uid, Attempt: uint32(number)},
		Linux:    &cri.LinuxPodSandboxConfig{CgroupParent: os.Getenv("CGROUP_PARENT")},
	}
	answer, err := c.RunPodSandbox(ctx, &cri.RunPodSandboxRequest{Config: config})
	if err == nil {
		fmt.Println(answer.PodSandboxId)
	}
	return err
}

func status(ctx context.Context, c cri.RuntimeServiceClient, id string) error {
	answer, err := c.PodSandboxStatus(ctx, &cri.PodSandboxStatusRequest{PodSandboxId: id})
	if err != nil {
		return err
	}
	fmt.Println(answer.Status.State)
	if network := answer.Status.Network; network != nil {
		fmt.Println(network.Ip)
		for _, more := range network.AdditionalIps {
			fmt.Println(more.Ip)
		}
	}
	return nil
}

func list(ctx context.Context, c cri.RuntimeServiceClient) error {
	answer, err := c.ListPodSandbox(ctx, &cri.ListPodSandboxRequest{})
	if err == nil {
		for _, sandbox := range answer.Items {
			fmt.Println(sandbox.Id)
		}
	}
	return err
}

func network(ctx context.Context, c cri.RuntimeServiceClient) error {
	answer, err := c.Status(ctx, &cri.StatusRequest{})
	if err != nil {
		return err
	}
	for _, condition := range answer.Status.Conditions {
		if condition.Type != cri.NetworkReady {
			continue
		}
		if condition.Status {
			fmt.Println("true")
		} else {
			fmt.Printf("false %s: %s\n", condition.Reason, condition.Message)
		}
	}
	return nil
}

func act(ctx context.Context, c cri.RuntimeServiceClient, args []string) error {
	switch {
	case len(args) == 5 && args[0] == "run":
		return run(ctx, c, args[1], args[2], args[3], args[4])
	case len(args) == 2 && args[0] == "status":
		return status(ctx, c, args[1])
	case len(args) == 2 && args[0] == "stop":
		_, err := c.StopPodSandbox(ctx, &cri.StopPodSandboxRequest{PodSandboxId: args[1]})
		return err
	case len(args) == 2 && args[0] == "remove":
		_, err := c.RemovePodSandbox(ctx, &cri.RemovePodSandboxRequest{PodSandboxId: args[1]})
		return err
	case len(args) == 1 && args[0] == "list":
		return list(ctx, c)
	case len(args) == 1 && args[0] == "network":
		return network(ctx, c)
	}
	return errUsage
}

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, errUsage)
		os.Exit(2)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	conn, err := grpc.NewClient("unix://"+os.Args[1], grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err == nil {
		err = act(ctx, cri.NewRuntimeServiceClient(conn), os.Args[2:])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
