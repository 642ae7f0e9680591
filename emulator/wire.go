package emulator

import (
	"bytes"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base32"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// maxBody bounds the body of every POST.
const maxBody = 64 << 10

// userJSON is the API's user. Every key is always there.
type userJSON struct {
	Object            string            `json:"object"`
	ID                string            `json:"id"`
	Email             string            `json:"email"`
	EmailVerified     bool              `json:"email_verified"`
	FirstName         *string           `json:"first_name"`
	LastName          *string           `json:"last_name"`
	Name              *string           `json:"name"`
	ProfilePictureURL *string           `json:"profile_picture_url"`
	LastSignInAt      *string           `json:"last_sign_in_at"`
	Locale            *string           `json:"locale"`
	CreatedAt         string            `json:"created_at"`
	UpdatedAt         string            `json:"updated_at"`
	ExternalID        *string           `json:"external_id"`
	Metadata          map[string]string `json:"metadata"`
}

func (p *person) json() userJSON {
	updated, metadata := p.created, p.Metadata
	if p.lastSignIn.After(updated) {
		updated = p.lastSignIn
	}
	if metadata == nil {
		metadata = map[string]string{}
	}
	return userJSON{
		Object:            "user",
		ID:                p.ID,
		Email:             p.Email,
		EmailVerified:     true,
		FirstName:         orNull(p.FirstName),
		LastName:          orNull(p.LastName),
		Name:              orNull(strings.TrimSpace(p.FirstName + " " + p.LastName)),
		ProfilePictureURL: orNull(p.ProfilePictureURL),
		LastSignInAt:      timeOrNull(p.lastSignIn),
		Locale:            orNull(p.Locale),
		CreatedAt:         timestamp(p.created),
		UpdatedAt:         timestamp(updated),
		ExternalID:        orNull(p.ExternalID),
		Metadata:          metadata,
	}
}

type impersonatorJSON struct {
	Email  string  `json:"email"`
	Reason *string `json:"reason"`
}

func (i *Impersonator) json() *impersonatorJSON {
	if i == nil {
		return nil
	}
	return &impersonatorJSON{i.Email, orNull(i.Reason)}
}

func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// timestamp is a time as the API writes it.
func timestamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

func timeOrNull(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	return orNull(timestamp(t))
}

// crockford is the alphabet of the API's ids.
const crockford = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// newID makes an id like the API's: a prefix and a ULID, which is 48 bits of
// milliseconds and 80 random bits.
func newID(prefix string, now time.Time) string {
	var stamp [10]byte
	for i, ms := len(stamp)-1, now.UnixMilli(); i >= 0; i, ms = i-1, ms>>5 {
		stamp[i] = crockford[ms&31]
	}
	var random [10]byte
	_, _ = rand.Read(random[:]) // never fails
	return prefix + string(stamp[:]) + base32.NewEncoding(crockford).EncodeToString(random[:])
}

// onePage is a list that has nothing before and after it.
func onePage(data any) map[string]any {
	return map[string]any{
		"object":        "list",
		"data":          data,
		"list_metadata": map[string]any{"before": nil, "after": nil},
	}
}

// apiError is a refusal in one of the API's two shapes.
type apiError struct {
	status int
	body   any
}

func (e *apiError) Error() string { return "emulator: refused with status " + strconv.Itoa(e.status) }

// oauthError is a refusal of /authenticate in OAuth's shape, always 400.
func oauthError(code, description string) error {
	return &apiError{http.StatusBadRequest, map[string]string{"error": code, "error_description": description}}
}

// codeError is a refusal in the API's other shape.
func codeError(status int, code, message string) error {
	return &apiError{status, map[string]string{"code": code, "message": message}}
}

// notFound is the refusal of an id that nothing has.
func notFound(what string) error {
	return codeError(http.StatusNotFound, "entity_not_found", what+" not found.")
}

var errNotFound error = &apiError{http.StatusNotFound, map[string]string{"message": "Not Found"}}

func writeError(w http.ResponseWriter, err error) {
	var refused *apiError
	if !errors.As(err, &refused) {
		refused = &apiError{http.StatusInternalServerError, map[string]string{"message": err.Error()}}
	}
	writeJSON(w, refused.status, refused.body)
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	raw, err := json.Marshal(body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(raw)
}

// readJSON reads a body of JSON, whatever its type says, and ignores what it doesn't know.
func readJSON(w http.ResponseWriter, r *http.Request, into any) error {
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(into); err != nil {
		return codeError(http.StatusBadRequest, "invalid_request", "The body is not a valid JSON object.")
	}
	return nil
}

// params reads a body of form values or of a JSON object, whose strings count.
func params(w http.ResponseWriter, r *http.Request) (url.Values, error) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	mediaType, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if mediaType == "application/x-www-form-urlencoded" {
		if err := r.ParseForm(); err != nil {
			return nil, oauthError("invalid_request", "The body is not a valid form.")
		}
		return r.PostForm, nil
	}
	var body map[string]any
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		return nil, oauthError("invalid_request", "The body is not a valid JSON object.")
	}
	p := url.Values{}
	for name, value := range body {
		if s, ok := value.(string); ok {
			p.Set(name, s)
		}
	}
	return p, nil
}

// same compares secrets.
func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

func unprocessable(message string) error {
	return codeError(http.StatusUnprocessableEntity, "unprocessable_entity", message)
}

// duration is one in JSON, such as "1m30s".
type duration time.Duration

func (d duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

func (d *duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	*d = duration(parsed)
	return err
}

// strictly reads a JSON object that has nothing but the fields of into.
func strictly(body []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("there is more after the JSON object")
	}
	return nil
}

// badRequest says what is wrong with a request for a switch.
func badRequest(err error) error {
	var refused *apiError
	if errors.As(err, &refused) {
		return err
	}
	return codeError(http.StatusBadRequest, "invalid_request", err.Error())
}
