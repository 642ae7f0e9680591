package policyfile

import (
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// Results of a reload.
const (
	resultOK    = "ok"
	resultError = "error"
)

// logProblems logs why the file isn't the policy in force, each problem with its line.
func (f *File) logProblems() {
	f.logged = f.Now()
	f.Log.Error().Str("event", "policy").Str("file", f.Path).Strs("problems", strings.Split(f.Err().Error(), "\n")).
		Msg("the policy file can't be used: the policy before it stays in force")
}

// logWarnings logs what is probably a mistake, each with its line.
func (f *File) logWarnings(d *Document) {
	if len(d.Warnings) > 0 {
		f.Log.Warn().Str("event", "policy").Str("file", f.Path).Strs("problems", strings.Split(d.Warnings.Error(), "\n")).
			Msg("the policy file has what is probably a mistake")
	}
}

// observe registers the metrics, where there are Metrics.
func (f *File) observe() {
	const namespace = "authkit_forward_auth"
	factory := promauto.With(f.Metrics)
	f.reloads = factory.NewCounterVec(prometheus.CounterOpts{
		Namespace: namespace, Name: "policy_reloads_total", Help: "Times that a changed policy file was read, by result (ok, error).",
	}, []string{"result"})
	for _, result := range []string{resultOK, resultError} {
		f.reloads.WithLabelValues(result) // from the start, so that a first failure shows as an increase
	}
	factory.NewGaugeFunc(prometheus.GaugeOpts{
		Namespace: namespace, Name: "policy_stale", Help: "1 while the policy file can't be used and the policy before it is in force.",
	}, func() float64 {
		if f.Err() != nil {
			return 1
		}
		return 0
	})
	factory.NewGaugeFunc(prometheus.GaugeOpts{
		Namespace: namespace, Name: "policy_rules", Help: "Rules of the policy in force, without its default.",
	}, func() float64 { return float64(len(f.Current().Rules())) })
}
