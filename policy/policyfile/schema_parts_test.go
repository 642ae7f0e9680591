package policyfile

import "github.com/google/jsonschema-go/jsonschema"

// property is a key of an object.
type property struct {
	name   string
	schema *jsonschema.Schema
}

func key(name, description string, s *jsonschema.Schema) property {
	s.Description = description
	return property{name, s}
}

// object is a mapping with at least one of these keys and no other.
func object(properties ...property) *jsonschema.Schema {
	s := &jsonschema.Schema{
		Type: "object", MinProperties: new(1), Properties: map[string]*jsonschema.Schema{},
		AdditionalProperties: &jsonschema.Schema{Not: &jsonschema.Schema{}},
	}
	for _, p := range properties {
		s.Properties[p.name] = p.schema
		s.PropertyOrder = append(s.PropertyOrder, p.name)
	}
	return s
}

func required(s *jsonschema.Schema, names ...string) *jsonschema.Schema {
	s.Required = names
	return s
}

// listOf is a list of different values that isn't empty.
func listOf(item *jsonschema.Schema) *jsonschema.Schema {
	return &jsonschema.Schema{Type: "array", MinItems: new(1), UniqueItems: true, Items: item}
}

// texts is a list of strings.
func texts() *jsonschema.Schema { return listOf(someText()) }

func someText() *jsonschema.Schema { return &jsonschema.Schema{Type: "string", MinLength: new(1)} }

func words(all ...string) *jsonschema.Schema {
	s := &jsonschema.Schema{Type: "string"}
	for _, word := range all {
		s.Enum = append(s.Enum, word)
	}
	return s
}

func methodSchema() *jsonschema.Schema {
	return &jsonschema.Schema{Type: "string", Pattern: "^[A-Z_-]{1,32}$"}
}

func durationSchema() *jsonschema.Schema {
	return &jsonschema.Schema{Type: "string", Pattern: `^([0-9.]+(ns|us|µs|ms|s|m|h))+$`}
}
