package policyfile

import _ "embed"

// Schema is the JSON Schema (draft 2020-12) of policy files, with which editors complete
// and check them. It says less than Parse: a file that it accepts can still be bad.
//
//go:embed policy.schema.json
var Schema string
