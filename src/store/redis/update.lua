-- Merges an update into the document of one user, whole or not at all. Values are never read as JSON.
--
-- KEYS[1]  the hash of the user: `f<name>` holds a root field, `v` the version, `n` the bytes of all members, each with a
--          comma behind it
-- ARGV     1 the precondition: nothing, `*` (a document), `-` (no document) or a version; 2 the new version; 3 the most
--          bytes and 4 the most root fields of a document; 5 milliseconds to live, 0 for ever; 6 the number of fields to
--          remove; then those fields; then field and value of each that is set
--
-- Answers  what HGETALL answers, as MessagePack, since one string is passed on at less cost than many; or a list of
--          the version that breaks the precondition, empty for none; or 1 for too many fields, 2 for too many bytes, 3
--          for a hash that is no document
local call, key, when, removed = redis.call, KEYS[1], ARGV[1], tonumber(ARGV[6])
local sets = 7 + removed
-- Lua passes at most some 8,000 arguments.
local most = 4000

local function of_member(field, value)
  local escapes = 0
  if string.find(field, '["\\\1-\31]') then
    local _, short = string.gsub(field, '["\\\b\t\n\f\r]', '')
    local _, all = string.gsub(field, '["\\\1-\31]', '')
    escapes = short + 5 * (all - short)
  end
  return #field - 1 + escapes + #'"":,' + value
end

local names = { 'v', 'n' }
for i = 7, sets - 1 do names[#names + 1] = ARGV[i] end
for i = sets, #ARGV, 2 do names[#names + 1] = ARGV[i] end
local stored = call('HMGET', key, unpack(names, 1, math.min(most, #names)))
for i = most + 1, #names, most do
  for j, value in ipairs(call('HMGET', key, unpack(names, i, math.min(i + most - 1, #names)))) do
    stored[i + j - 1] = value
  end
end

local version, bytes = stored[1], tonumber(stored[2] or 0)
if version then
  if not stored[2] or not bytes then return 3 end
elseif call('EXISTS', key) == 1 then
  return 3
end
if (when == '*' and not version) or (when == '-' and version) or (#when > 1 and when ~= version) then
  return { version or '' }
end
if version and #ARGV == 6 then return cmsgpack.pack(call('HGETALL', key)) end

local before, more, gone = bytes, 0, false
for i = 3, removed + 2 do
  if stored[i] then
    more, bytes, gone = more - 1, bytes - of_member(names[i], #stored[i]), true
  end
end
for i = removed + 3, #names do
  local new = #ARGV[sets + 2 * (i - removed) - 5]
  if stored[i] then
    bytes = bytes - #stored[i] + new
  else
    more, bytes = more + 1, bytes + of_member(names[i], new)
  end
end
-- No member is shorter than this, so few bytes are few fields.
if bytes > #'"":0,' * tonumber(ARGV[4]) then
  local count = version and call('HLEN', key) - 2 or 0
  if count + more > tonumber(ARGV[4]) then return 1 end
end
if #'{}' + bytes - (bytes > 0 and 1 or 0) > tonumber(ARGV[3]) then return 2 end

local function remove()
  for i = 7, gone and sets - 1 or 0, most do
    call('HDEL', key, unpack(ARGV, i, math.min(i + most, sets) - 1))
  end
end
local function set()
  call('HSET', key, 'v', ARGV[2], 'n', bytes, unpack(ARGV, sets, math.min(sets + most - 1, #ARGV)))
  for i = sets + most, #ARGV, most do
    call('HSET', key, unpack(ARGV, i, math.min(i + most - 1, #ARGV)))
  end
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
if ARGV[5] == '0' then call('PERSIST', key) else call('PEXPIRE', key, ARGV[5]) end
return cmsgpack.pack(call('HGETALL', key))
