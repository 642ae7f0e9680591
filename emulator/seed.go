package emulator

// Organizations that have API keys and applications from the start.
const (
	seedAcme   = "org_01JSSZ5AWSH8VHTPRE95B9EE0Z"
	seedGlobex = "org_01JBGJ09TQM83XSSSS6YS3C4DW"
)

// Seed gives the users and organizations of a new emulator: one user without an
// organization, one in one organization, one in two, and one whom the support team
// impersonates. Names hold what applications get wrong: letters beyond ASCII, commas, quotes.
func Seed() ([]User, []Organization) {
	acme := Organization{
		ID:           seedAcme,
		Name:         "Acme, Inc.",
		Entitlements: []string{"audit-logs", "sso"},
		FeatureFlags: []string{"new-reports"},
	}
	globex := Organization{ID: seedGlobex, Name: "Globex"}
	users := []User{{
		ID:        "user_01JM9S346Q3D25VT4F5V37E3S3",
		Email:     "paula@example.com",
		FirstName: "Paula",
		LastName:  "Winter",
		Locale:    "en-US",
	}, {
		ID:                "user_01JE28JT97KB6CQ643DZVMXXQK",
		Email:             "zoe@acme.example",
		FirstName:         "Zoë",
		LastName:          "Ångström",
		ProfilePictureURL: "https://images.example.com/zoe.png",
		Locale:            "sv-SE",
		ExternalID:        "employee-7",
		Metadata:          map[string]string{"department": "Research, Lund"},
		Memberships: []Membership{{
			ID:             "om_01JSSZ6D0GQ1N3V5T7R9P2M4K6",
			OrganizationID: acme.ID,
			Roles:          []string{"admin", "billing"},
			Permissions:    []string{"reports:read", "reports:write", "users:manage"},
		}},
	}, {
		ID:        "user_01JFBF5KZNWJ47TAN9ZT24MNPZ",
		Email:     "sam@example.com",
		FirstName: "Sam",
		LastName:  "Rivera, Jr.",
		Memberships: []Membership{
			{ID: "om_01JSSZ7H2ES3Q5W8Y1B4D6F9GJ", OrganizationID: acme.ID, Roles: []string{"member"}, Permissions: []string{"reports:read"}},
			{ID: "om_01JSSZ8K4FT6R9X2Z5C7E0G3HM", OrganizationID: globex.ID, Roles: []string{"owner"}, Permissions: []string{"reports:read", "reports:write"}},
		},
	}, {
		ID:        "user_01JX45HY43KWJRP1XPA7Z3DJ8F",
		Email:     "iris@acme.example",
		FirstName: "Iris",
		LastName:  "Okafor",
		Memberships: []Membership{
			{ID: "om_01JX45KN6GV8S1Y4A7D9F2H5JP", OrganizationID: acme.ID, Roles: []string{"member"}, Permissions: []string{"reports:read"}},
		},
		Impersonator: &Impersonator{Email: "support@example.com", Reason: `Ticket 4711: "export is empty"`},
	}}
	return users, []Organization{acme, globex}
}

// SeedAPIKeys gives the API keys of a new emulator: one of each organization of Seed, and one that was issued for an agent.
func SeedAPIKeys() []APIKey {
	return []APIKey{{
		ID:             "api_key_01JY2M5RT7WX3Z6B8D0F4H9K1N",
		Value:          "sk_emulator_acme_reports_T4Q9ZX7M2KWB",
		Name:           "Acme's nightly export",
		OrganizationID: seedAcme,
		Permissions:    []string{"reports:read"},
	}, {
		ID:             "api_key_01JY2M6SV8XY4A7C9E1G5J0M2P",
		Value:          "sk_emulator_globex_reports_H8N3VD5R6YCJ",
		Name:           "Globex's dashboard",
		OrganizationID: seedGlobex,
		Permissions:    []string{"reports:read", "reports:write"},
	}, {
		ID:             "api_key_01JY2M7TX9YZ5B8D0F2H6K1N3Q",
		Value:          "sk_emulator_globex_agent_C6W2YP9K4VTD",
		Name:           "An agent's",
		OrganizationID: seedGlobex,
		Permissions:    []string{"reports:read"},
		AgentID:        "agent_reg_01JY2M8VZ0A6C9E1G3J7M2P4R",
	}}
}

// SeedApplications gives the machine-to-machine applications of a new emulator: one of Acme.
func SeedApplications() []Application {
	return []Application{{
		ClientID:       "client_01JY2N7TW9YZ5B8D0F2H6K1N3Q",
		ClientSecret:   "emulator_acme_warehouse_P6K2JW8FT3XG",
		Name:           "Acme's warehouse",
		OrganizationID: seedAcme,
	}}
}
