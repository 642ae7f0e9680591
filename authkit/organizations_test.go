package authkit

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/authkit-forward-auth/authkit-forward-auth/session"
)

func TestOrganizations(t *testing.T) {
	t.Parallel()
	var got string
	c := newClient(t, func(w http.ResponseWriter, r *http.Request) {
		got = r.Method + " " + r.RequestURI + " " + r.Header.Get("Authorization")
		io.WriteString(w, `{"object":"list","data":[
			{"object":"organization_membership","id":"om_1","user_id":"user_1","organization_id":"org_1","organization_name":"Foo & Sons","status":"active","role":{"slug":"admin"}},
			{"object":"organization_membership","id":"om_2","user_id":"user_1","organization_id":"org_2","status":"active","role":null},
			{"object":"organization_membership","id":"om_3","user_id":"user_1","organization_id":"org_3","organization_name":"Left","status":"inactive"},
			{"object":"organization_membership","id":"om_4","user_id":"user_2","organization_id":"org_4","organization_name":"Another's","status":"active"},
			{"object":"organization_membership","id":"om_5","user_id":"user_1","organization_name":"Nowhere","status":"active"}
			],"list_metadata":{"before":null,"after":"om_5"}}`)
	})
	all, err := c.Organizations(t.Context(), "user_1")
	if want := []Organization{{ID: "org_1", Name: "Foo & Sons"}, {ID: "org_2"}}; err != nil || !reflect.DeepEqual(all, want) {
		t.Errorf("got %v, %v, want %v", all, err, want)
	}
	want := "GET /user_management/organization_memberships?limit=100&order=desc&statuses=active&user_id=user_1 Bearer sk_test_secret"
	if got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

func TestOrganizationsOfNobody(t *testing.T) {
	t.Parallel()
	c := newClient(t, func(http.ResponseWriter, *http.Request) { t.Error("got a request, want none") })
	if all, err := c.Organizations(t.Context(), ""); err != nil || all != nil {
		t.Errorf("got %v, %v, want none", all, err)
	}
}

func TestOrganizationsAreBounded(t *testing.T) {
	t.Parallel()
	const one = `{"user_id":"user_1","organization_id":"org_1","status":"active"}`
	c := newClient(t, func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, `{"data":[`+strings.Repeat(one+",", 100)+one+`]}`)
	})
	if all, err := c.Organizations(t.Context(), "user_1"); err != nil || len(all) != 100 {
		t.Errorf("got %d, %v, want 100", len(all), err)
	}
}

func TestOrganizationsCantTell(t *testing.T) {
	t.Parallel()
	garbage := &session.Outage{Status: 200, Err: errors.New("answer is not the JSON expected")}
	tests := []struct {
		name   string
		status int
		body   string
		want   *session.Outage
	}{
		{"401", 401, `{"message":"Unauthorized"}`, &session.Outage{Status: 401, Refused: true}},
		{"403 that looks like a step", 403, `{"code":"organization_selection_required","pending_authentication_token":"secret"}`,
			&session.Outage{Status: 403, Code: "organization_selection_required", Refused: true}},
		{"429", 429, `{"error":"too_many_requests"}`, &session.Outage{Status: 429, Code: "too_many_requests"}},
		{"502", 502, `<html>secret`, &session.Outage{Status: 502}},
		{"HTML", 200, `<html>secret`, garbage},
		{"no data", 200, `{"object":"list"}`, garbage},
		{"null data", 200, `{"data":null}`, garbage},
		{"data of another type", 200, `{"data":[{"organization_id":1}]}`, garbage},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := newClient(t, func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(tt.status)
				io.WriteString(w, tt.body)
			})
			all, err := c.Organizations(t.Context(), "user_1")
			if all != nil || !reflect.DeepEqual(err, error(tt.want)) {
				t.Fatalf("got %v, %#v, want %#v", all, err, tt.want)
			}
			checkNoSecret(t, err)
		})
	}
}

func TestOrganizationsOfEmulator(t *testing.T) {
	t.Parallel()
	c := emulated(t)
	answer, err := c.ExchangeCode(t.Context(), signIn(t, c, "zoe@acme.example", verifier), verifier, "", "")
	if err != nil {
		t.Fatal(err)
	}
	var signedIn struct{ User struct{ ID string } }
	if err := json.Unmarshal(answer, &signedIn); err != nil {
		t.Fatal(err)
	}
	all, err := c.Organizations(t.Context(), signedIn.User.ID)
	if want := []Organization{{ID: "org_01JSSZ5AWSH8VHTPRE95B9EE0Z", Name: "Acme, Inc."}}; err != nil || !reflect.DeepEqual(all, want) {
		t.Errorf("got %v, %v, want %v", all, err, want)
	}
}
