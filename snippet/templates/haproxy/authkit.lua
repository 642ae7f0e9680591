-- Asks authkit-forward-auth about a request.
--   setenv AUTHKIT_VERIFY http://auth:9000/verify/forward-auth
--   lua-load-per-thread authkit.lua
--   http-request set-var-fmt(txn.authkit_require) role=admin,owner if ...    before the next, where somebody in particular may
--   http-request lua.authkit            asks; ends what isn't let in with the service's answer
--   http-request deny unless { var(txn.authkit) -m str allowed }
--   http-request set-header Cookie %[var(txn.authkit_cookie)]    with HIDE_SESSION_COOKIE=true
--   http-response lua.authkit_cookies if { var(txn.authkit_renewed) -m bool }

local verify = assert(os.getenv("AUTHKIT_VERIFY"), "AUTHKIT_VERIFY is not set")
local timeout = 15000 -- milliseconds

-- What the app gets. The frontend removes a client's own.
local identity = {
  "x-auth-request-user", "x-auth-request-email", "x-auth-request-name", "x-auth-request-groups",
  "x-auth-request-organization", "x-auth-request-role", "x-auth-request-permissions",
  "x-auth-request-entitlements", "x-auth-request-session", "x-auth-request-impersonator",
  "x-auth-request-scopes", "x-auth-request-client", "x-auth-request-actor",
  "x-auth-request-access-token", "x-auth-request-assertion", "remote-user", "remote-email", "remote-name", "remote-groups",
{{- range .Claims}}
  "{{lower .}}",
{{- end}}
}

-- What of the client's request doesn't go to the service: what belongs to the connection or the body, and
-- what says which request it is about.
local kept_back = {
  ["connection"] = true, ["keep-alive"] = true, ["proxy-connection"] = true, ["te"] = true, ["trailer"] = true,
  ["transfer-encoding"] = true, ["upgrade"] = true, ["content-length"] = true, ["expect"] = true, ["host"] = true,
  ["forwarded"] = true, ["x-forwarded-for"] = true, ["x-forwarded-host"] = true, ["x-forwarded-method"] = true,
  ["x-forwarded-proto"] = true, ["x-forwarded-uri"] = true, ["http2-settings"] = true,
}

-- HAProxy's tables of header values begin at 0.
local function values(list)
  local i = -1
  return function()
    i = i + 1
    return list[i]
  end
end

local function question(txn)
  local headers = {}
  for name, list in pairs(txn.http:req_get_headers()) do
    if not kept_back[name] then
      local copy = {}
      for value in values(list) do copy[#copy + 1] = value end
      headers[name] = copy
    end
  end
  headers["x-forwarded-method"] = { txn.sf:method() }
  headers["x-forwarded-proto"] = { txn.sf:ssl_fc() == 1 and "https" or "http" }
  headers["x-forwarded-host"] = { txn.sf:req_fhdr("host") }
  headers["x-forwarded-uri"] = { txn.sf:pathq() }
  headers["x-forwarded-for"] = { txn.sf:src() }
  return headers
end

local function deny(txn, answer)
  local reply = txn:reply({ status = answer.status, reason = answer.reason })
  for name, list in pairs(answer.headers or {}) do
    if name ~= "content-length" and name ~= "transfer-encoding" and name ~= "connection" and name ~= "date" then
      for value in values(list) do reply:add_header(name, value) end
    end
  end
  reply:set_body(answer.body or "")
  txn:done(reply)
end

local function ask(txn)
  txn:set_var("txn.authkit", "asked")
  local url, require = verify, txn:get_var("txn.authkit_require")
  if require then url = url .. "?" .. require end
  local answer = core.httpclient():get({ url = url, headers = question(txn), timeout = timeout })
  if not answer or answer.status == 0 then
    return deny(txn, { status = 503, reason = "Service Unavailable" })
  end
  if answer.status < 200 or answer.status > 299 then
    return deny(txn, answer)
  end
  for _, name in ipairs(identity) do
    local list = answer.headers[name]
    if list then txn.http:req_set_header(name, list[0]) end
  end
  local cookie = answer.headers["cookie"]
  txn:set_var("txn.authkit_cookie", cookie and cookie[0] or "")
  local cookies = answer.headers["set-cookie"]
  if cookies then
    txn:set_priv(cookies)
    txn:set_var("txn.authkit_renewed", true)
  end
  txn:set_var("txn.authkit", "allowed")
end

core.register_action("authkit", { "http-req" }, ask)

core.register_action("authkit_cookies", { "http-res" }, function(txn)
  local cookies = txn:get_priv()
  if not cookies then return end
  for value in values(cookies) do txn.http:res_add_header("set-cookie", value) end
  txn.http:res_set_header("cache-control", "private, no-store") -- no cache may keep it
end)
