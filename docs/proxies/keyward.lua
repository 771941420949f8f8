-- HAProxy action `http-request lua.keyward URL`: asks Keyward's /authz about a request. Without a
-- response of 200, the request ends here. HAProxy ends it too if this program fails.

-- In milliseconds. After it, HAProxy 2.6 asks again, up to three times.
local TIMEOUT = 2000

-- Headers of the client that Keyward reads: the credentials, and what its log contains.
local ASKED_WITH = {
    "authorization", "keyward-session-token", "coder-session-token",
    "user-agent", "x-request-id", "traceparent",
}

local IDENTITY = { "keyward-user", "keyward-user-id", "keyward-key-id", "keyward-scopes" }

-- Headers of a refusal that the client gets.
local REFUSED_WITH = { "content-type", "www-authenticate", "retry-after", "cache-control", "keyward-request-id" }

-- HAProxy numbers the values of a header from 0.
local function values(headers, name)
    local list = {}
    local found = headers[name] or {}
    local index = 0
    while found[index] do
        list[#list + 1] = found[index]
        index = index + 1
    end
    return list
end

local function refuse(txn, response)
    local reply = txn:reply({ status = 503 })
    if response.status and response.status >= 400 then
        reply:set_status(response.status)
        for _, name in ipairs(REFUSED_WITH) do
            for _, value in ipairs(values(response.headers, name)) do
                reply:add_header(name, value)
            end
        end
        reply:set_body(response.body or "")
    end
    txn:done(reply)
end

local function ask(txn, url)
    local sent = txn.http:req_get_headers()
    local headers = { ["x-forwarded-for"] = { txn.f:src() } }
    for _, name in ipairs(ASKED_WITH) do
        local list = values(sent, name)
        if #list > 0 then
            headers[name] = list
        end
    end
    local response = core.httpclient():get({ url = url, headers = headers, timeout = TIMEOUT })
    if response.status ~= 200 then
        refuse(txn, response)
        return
    end

    -- Also removes Keyward_User, for example, which some applications cannot tell from Keyward-User.
    for name in pairs(sent) do
        if name:sub(1, 7) == "keyward" then
            txn.http:req_del_header(name)
        end
    end
    for _, name in ipairs(IDENTITY) do
        local value = values(response.headers, name)[1]
        if value then
            txn.http:req_set_header(name, value)
        end
    end
end

core.register_action("keyward", { "http-req" }, ask, 1)
