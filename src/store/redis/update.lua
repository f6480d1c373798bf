-- Merges an update into the document of one user, whole or not at all. Values are never read as JSON.
--
-- KEYS[1]  the hash of the user: `f<name>` holds a root field, `v` the version, `n` the bytes of all members, each with a
--          comma behind it
-- ARGV     1 the precondition: nothing, `*` (a document), `-` (no document) or a version; 2 the new version; 3 the most
--          bytes and 4 the most root fields of a document; 5 milliseconds to live, 0 for ever; 6 the number of fields to
--          remove; then those fields; then field and value of each that is set
--
-- Answers  the hash as HGETALL does; or the version that breaks the precondition, empty for none; or 1 for too many
--          fields, 2 for too many bytes, 3 for a hash that is no document
local key, when, removed = KEYS[1], ARGV[1], tonumber(ARGV[6])
local sets = 7 + removed

local function of_member(field, value)
  local _, short = string.gsub(field, '["\\\b\t\n\f\r]', '')
  local _, all = string.gsub(field, '["\\\1-\31]', '')
  return #field - 1 + short + 5 * (all - short) + #'"":,' + value
end

local stored = redis.call('HMGET', key, 'v', 'n')
local version, bytes, count = stored[1], tonumber(stored[2] or 0), 0
if version then
  if not stored[2] or not bytes then return 3 end
  count = redis.call('HLEN', key) - 2
elseif redis.call('EXISTS', key) == 1 then
  return 3
end

if (when == '*' and not version) or (when == '-' and version) or (#when > 1 and when ~= version) then
  return version or ''
end
if version and #ARGV == 6 then return redis.call('HGETALL', key) end

local before = bytes
for i = 7, sets - 1 do
  local old = version and redis.call('HSTRLEN', key, ARGV[i]) or 0
  if old > 0 then
    count, bytes = count - 1, bytes - of_member(ARGV[i], old)
  end
end
for i = sets, #ARGV, 2 do
  local old = version and redis.call('HSTRLEN', key, ARGV[i]) or 0
  if old > 0 then
    bytes = bytes - old + #ARGV[i + 1]
  else
    count, bytes = count + 1, bytes + of_member(ARGV[i], #ARGV[i + 1])
  end
end
if count > tonumber(ARGV[4]) then return 1 end
if #'{}' + bytes - (count > 0 and 1 or 0) > tonumber(ARGV[3]) then return 2 end

-- Lua passes at most some 8,000 arguments.
local most = 4000
local function remove()
  for i = 7, sets - 1, most do
    redis.call('HDEL', key, unpack(ARGV, i, math.min(i + most, sets) - 1))
  end
end
local function set()
  for i = sets, #ARGV, most do
    redis.call('HSET', key, unpack(ARGV, i, math.min(i + most, #ARGV + 1) - 1))
  end
  redis.call('HSET', key, 'v', ARGV[2], 'n', bytes)
end
-- When memory is short, Redis refuses the first HSET of a script that has not written anything, and no later one. So a
-- document that grows is refused before it is changed, and one can be made smaller by removing fields.
if version and bytes <= before then
  remove()
  set()
else
  set()
  remove()
end
if ARGV[5] == '0' then redis.call('PERSIST', key) else redis.call('PEXPIRE', key, ARGV[5]) end
return redis.call('HGETALL', key)
