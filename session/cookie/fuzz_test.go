package cookie

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Whatever the header says, a session that was read is a plain value of it, or one
// whose hash stands in each of its chunks.
func FuzzCookieRead(f *testing.F) {
	one := "wos-session=" + strings.Join(parts("Fe26.2*1*a sealed session~2", 10), "; wos-session.1=")
	f.Add(one)
	f.Add(strings.Replace(one, "; wos-session.1=", "; wos-session.2=", 1))
	f.Add("wos-session=w; wos-session=" + sealedAs("v") + `; wos-session="` + sealedAs("%2A") + `"`)
	f.Add(`wos-session="Fe26.2%2A1*x~2"; wos-session=w; wos-session.1=k1.2.x.y; other=1`)
	f.Add("wos-session=k1.; wos-session.9=k1.9..; wos-session.7=k1.8.0123456789abcdef.")
	f.Fuzz(func(t *testing.T, header string) {
		request := http.Header{"Cookie": {header}}
		values, present := anHour.Read(request)
		if len(values) > 64 || len(values) > 0 && !present {
			t.Fatalf("got %d sessions, present %t", len(values), present)
		}
		plain := map[string]bool{}
		var chunks []string
		for pair := range strings.SplitSeq(header, ";") {
			name, value, _ := strings.Cut(strings.TrimSpace(pair), "=")
			if !strings.HasPrefix(name, "wos-session") {
				continue
			}
			if value = unquote(value); strings.HasPrefix(value, "k1.") {
				chunks = append(chunks, value)
			} else if name == "wos-session" && len(value) >= 512 {
				plain[value] = true
			}
		}
		for _, value := range values {
			sum := sha256.Sum256([]byte(value))
			hash := "." + base64.RawURLEncoding.EncodeToString(sum[:12]) + "."
			carriesHash := func(chunk string) bool { return strings.Contains(chunk, hash) }
			if !plain[value] && !slices.ContainsFunc(chunks, carriesHash) {
				t.Errorf("got %q, want a value of the header or chunks with its hash", value)
			}
		}
		for _, line := range anHour.ClearLines(request) {
			if _, err := http.ParseSetCookie(line); err != nil {
				t.Errorf("got line %q: %v", line, err)
			}
		}
	})
}

// sealable are the characters of an iron seal.
var sealable = regexp.MustCompile(`^[A-Za-z0-9_*.~-]{1,1000}$`)

// Chunks of one session, in any order and beside anything else, are that session or none.
func FuzzCookieChunks(f *testing.F) {
	f.Add("Fe26.2*1*a sealed session~2", uint(10), "wos-session.1=k1.3.0123456789abcdef.x", uint(1))
	f.Add("0123456789", uint(2), "wos-session=v", uint(9))
	f.Fuzz(func(t *testing.T, sealed string, size uint, planted string, dropped uint) {
		if size == 0 || !sealable.MatchString(sealed) || strings.ContainsAny(planted, "%;\"") {
			t.Skip("no seal, or a planted cookie that is more than one")
		}
		all := parts(sealed, int(min(size, 1<<12)))
		if len(all) < 2 || len(all) > maxChunks {
			t.Skip("not as many cookies as a session has")
		}
		var lines []string
		for i, part := range all {
			if i != int(dropped%16) {
				lines = append(lines, anHour.chunkName(i)+"="+part)
			}
		}
		whole := len(lines) == len(all)
		lines = append(lines, planted)
		values, _ := anHour.Read(http.Header{"Cookie": lines})
		name, plain, _ := strings.Cut(strings.TrimSpace(planted), "=")
		plantedChunk := strings.HasPrefix(plain, "k1.")
		for _, value := range values {
			if value != sealed && (value != plain || name != "wos-session") {
				t.Errorf("got %q, want the session or the planted value", value)
			}
		}
		if whole && !plantedChunk && !slices.Contains(values, sealed) {
			t.Errorf("got %q, want the session", values)
		}
	})
}
