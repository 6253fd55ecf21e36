package main

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// The arena's kinds as a generator would write them from the CRDs: every field that an object has.

type Matchmaking struct {
	Enabled  *bool  `json:"enabled,omitempty"`
	Priority int32  `json:"priority,omitempty"`
	Mode     string `json:"mode,omitempty"`
}

type AgentSpec struct {
	Owner            string      `json:"owner,omitempty"`
	Environment      string      `json:"environment"`
	DisplayName      string      `json:"displayName,omitempty"`
	Description      string      `json:"description,omitempty"`
	ActiveSubmission string      `json:"activeSubmission,omitempty"`
	Matchmaking      Matchmaking `json:"matchmaking,omitempty"`
	Suspended        bool        `json:"suspended,omitempty"`
}

type Rating struct {
	Elo         int32 `json:"elo,omitempty"`
	Matches     int32 `json:"matches,omitempty"`
	Wins        int32 `json:"wins,omitempty"`
	Losses      int32 `json:"losses,omitempty"`
	Draws       int32 `json:"draws,omitempty"`
	Peak        int32 `json:"peak,omitempty"`
	Provisional bool  `json:"provisional,omitempty"`
}

type AgentQueue struct {
	State      string       `json:"state,omitempty"`
	EnqueuedAt *metav1.Time `json:"enqueuedAt,omitempty"`
	ExpiresAt  *metav1.Time `json:"expiresAt,omitempty"`
	RangeNow   int32        `json:"rangeNow,omitempty"`
	Ticket     string       `json:"ticket,omitempty"`
	Reason     string       `json:"reason,omitempty"`
}

type AgentStatus struct {
	ObservedGeneration  int64              `json:"observedGeneration,omitempty"`
	ActiveSubmission    string             `json:"activeSubmission,omitempty"`
	ActiveVersion       int32              `json:"activeVersion,omitempty"`
	Image               string             `json:"image,omitempty"`
	LatestVersion       int32              `json:"latestVersion,omitempty"`
	LatestSubmission    string             `json:"latestSubmission,omitempty"`
	Rating              *Rating            `json:"rating,omitempty"`
	Queue               *AgentQueue        `json:"queue,omitempty"`
	ConsecutiveForfeits int32              `json:"consecutiveForfeits,omitempty"`
	Conditions          []metav1.Condition `json:"conditions,omitempty"`
}

type Agent struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
	Spec              AgentSpec   `json:"spec"`
	Status            AgentStatus `json:"status,omitempty"`
}

type AgentList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Agent `json:"items"`
}

type Inline struct {
	Files map[string]string `json:"files,omitempty"`
}

type Source struct {
	Inline *Inline `json:"inline,omitempty"`
	Image  string  `json:"image,omitempty"`
}

type SubmissionSpec struct {
	Agent  string `json:"agent"`
	Source Source `json:"source"`
}

type Attempt struct {
	Number     int32        `json:"number,omitempty"`
	Job        string       `json:"job,omitempty"`
	Pod        string       `json:"pod,omitempty"`
	StartedAt  *metav1.Time `json:"startedAt,omitempty"`
	FinishedAt *metav1.Time `json:"finishedAt,omitempty"`
	Reason     string       `json:"reason,omitempty"`
	Message    string       `json:"message,omitempty"`
}

type Scan struct {
	Scanner      string       `json:"scanner,omitempty"`
	DatabaseDate *metav1.Time `json:"databaseDate,omitempty"`
	FinishedAt   *metav1.Time `json:"finishedAt,omitempty"`
	Critical     int32        `json:"critical,omitempty"`
	High         int32        `json:"high,omitempty"`
	Medium       int32        `json:"medium,omitempty"`
	Low          int32        `json:"low,omitempty"`
	Unknown      int32        `json:"unknown,omitempty"`
	Fixable      int32        `json:"fixable,omitempty"`
}

type SubmissionStatus struct {
	ObservedGeneration int64              `json:"observedGeneration,omitempty"`
	Phase              string             `json:"phase,omitempty"`
	Version            int32              `json:"version,omitempty"`
	Image              string             `json:"image,omitempty"`
	Digest             string             `json:"digest,omitempty"`
	Attempts           []Attempt          `json:"attempts,omitempty"`
	ScanAttempts       []Attempt          `json:"scanAttempts,omitempty"`
	Scan               *Scan              `json:"scan,omitempty"`
	Conditions         []metav1.Condition `json:"conditions,omitempty"`
}

type Submission struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
	Spec              SubmissionSpec   `json:"spec"`
	Status            SubmissionStatus `json:"status,omitempty"`
}

type SubmissionList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Submission `json:"items"`
}

func (a *Agent) DeepCopyObject() runtime.Object {
	out := *a
	out.ObjectMeta = *a.ObjectMeta.DeepCopy()
	out.Spec.Matchmaking.Enabled = copied(a.Spec.Matchmaking.Enabled)
	out.Status.Rating = copied(a.Status.Rating)
	if q := a.Status.Queue; q != nil {
		out.Status.Queue = copied(q)
		out.Status.Queue.EnqueuedAt, out.Status.Queue.ExpiresAt = q.EnqueuedAt.DeepCopy(), q.ExpiresAt.DeepCopy()
	}
	out.Status.Conditions = append([]metav1.Condition(nil), a.Status.Conditions...)
	return &out
}

func (l *AgentList) DeepCopyObject() runtime.Object {
	out := *l
	out.Items = make([]Agent, len(l.Items))
	for i := range l.Items {
		out.Items[i] = *l.Items[i].DeepCopyObject().(*Agent)
	}
	return &out
}

func (s *Submission) DeepCopyObject() runtime.Object {
	out := *s
	out.ObjectMeta = *s.ObjectMeta.DeepCopy()
	if s.Spec.Source.Inline != nil {
		files := make(map[string]string, len(s.Spec.Source.Inline.Files))
		for name, text := range s.Spec.Source.Inline.Files {
			files[name] = text
		}
		out.Spec.Source.Inline = &Inline{Files: files}
	}
	out.Status.Attempts = append([]Attempt(nil), s.Status.Attempts...)
	out.Status.ScanAttempts = append([]Attempt(nil), s.Status.ScanAttempts...)
	out.Status.Scan = copied(s.Status.Scan)
	out.Status.Conditions = append([]metav1.Condition(nil), s.Status.Conditions...)
	return &out
}

func (l *SubmissionList) DeepCopyObject() runtime.Object {
	out := *l
	out.Items = make([]Submission, len(l.Items))
	for i := range l.Items {
		out.Items[i] = *l.Items[i].DeepCopyObject().(*Submission)
	}
	return &out
}

func copied[T any](value *T) *T {
	if value == nil {
		return nil
	}
	out := *value
	return &out
}

func addToScheme(scheme *runtime.Scheme) {
	version := schema.GroupVersion{Group: "rl-arena.io", Version: "v1alpha1"}
	scheme.AddKnownTypes(version, &Agent{}, &AgentList{}, &Submission{}, &SubmissionList{})
	metav1.AddToGroupVersion(scheme, version)
}
