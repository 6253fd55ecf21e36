// The same objects cached by controller-runtime, for comparison: memory, time to synced caches, idle CPU.
//
// usage: KUBECONFIG=... controller-runtime NAMESPACE [--strip]
//
// It follows what the controller follows (Agents, Submissions, Jobs and Pods) with typed objects,
// and its reconcilers read the object and decide that nothing is to do: what is left is what the
// framework itself costs. --strip forgets metadata.managedFields, which its users do to save memory.
// "synced" on standard output says that all caches are.
package main

import (
	"context"
	"fmt"
	"os"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	scheme := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(scheme); err != nil {
		return err
	}
	addToScheme(scheme)
	ctrl.SetLogger(zap.New())
	config, err := ctrl.GetConfig()
	if err != nil {
		return err
	}
	ours, err := labels.Parse("rl-arena.io/component in (build,scan,agent)")
	if err != nil {
		return err
	}
	options := cache.Options{
		DefaultNamespaces: map[string]cache.Config{os.Args[1]: {}},
		ByObject:          map[client.Object]cache.ByObject{&corev1.Pod{}: {Label: ours}, &batchv1.Job{}: {Label: ours}},
	}
	if len(os.Args) > 2 && os.Args[2] == "--strip" {
		options.DefaultTransform = cache.TransformStripManagedFields()
	}
	manager, err := ctrl.NewManager(config, ctrl.Options{
		Scheme: scheme, Cache: options, Metrics: server.Options{BindAddress: "0"},
	})
	if err != nil {
		return err
	}
	agents := reconcile.Func(func(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
		return reconcile.Result{}, client.IgnoreNotFound(manager.GetClient().Get(ctx, request.NamespacedName, &Agent{}))
	})
	submissions := reconcile.Func(func(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
		return reconcile.Result{}, client.IgnoreNotFound(manager.GetClient().Get(ctx, request.NamespacedName, &Submission{}))
	})
	if err := ctrl.NewControllerManagedBy(manager).For(&Agent{}).Complete(agents); err != nil {
		return err
	}
	err = ctrl.NewControllerManagedBy(manager).For(&Submission{}).
		Owns(&batchv1.Job{}).Owns(&corev1.Pod{}).Complete(submissions)
	if err != nil {
		return err
	}
	ctx := ctrl.SetupSignalHandler()
	// Known before the manager starts: it waits for the informers that there are then.
	for _, kind := range []client.Object{&Agent{}, &Submission{}, &batchv1.Job{}, &corev1.Pod{}} {
		if _, err := manager.GetCache().GetInformer(ctx, kind, cache.BlockUntilSynced(false)); err != nil {
			return err
		}
	}
	go func() {
		if manager.GetCache().WaitForCacheSync(ctx) {
			fmt.Println("synced")
		}
	}()
	return manager.Start(ctx)
}
