-- Merges an update into the document of one user, whole or not at all. Values are never read as JSON.
--
-- KEYS[1]  the hash of the user: `f<name>` holds a root field, `v` the version
-- ARGV     1 the precondition: nothing, `*` (a document), `-` (no document) or a version; 2 the new version; 3 the most
--          bytes and 4 the most root fields of a document; 5 milliseconds to live, 0 for ever; 6 the number of fields to
--          remove; then those fields; then field and value of each that is set
--
-- Answers  the fields and values of the hash in one string, which is passed on at less cost than a list, with NUL between
--          them, which neither can have, and behind them their number; or a list of the version that breaks the
--          precondition, empty for none; or 1 for too many fields, 2 for too many bytes, 3 for a hash that is no document
local call, key, when = redis.call, KEYS[1], ARGV[1]
local sets = 7 + ARGV[6]
-- Lua passes at most some 8,000 arguments.
local most = 4000

-- What becomes of a field: its new value, or 0 for one to remove.
local changes = {}
for i = 7, sets - 1 do changes[ARGV[i]] = 0 end
for i = sets, #ARGV, 2 do changes[ARGV[i]] = ARGV[i + 1] end

-- The hash is read once and merged here, too, so that the answer need not be read again. Each call costs more than the
-- rest of this script.
local hash = call('HGETALL', key)
local size, i = #hash, 1
local version, place
local bytes, names, more, gone = 0, 0, 0, false
while i < size do
  local field, value = hash[i], hash[i + 1]
  local change = changes[field]
  if change == 0 then
    more, gone = more - #field - #value, true
    hash[i], hash[i + 1] = hash[size - 1], hash[size]
    size = size - 2
  else
    if change then
      more = more + #change - #value
      hash[i + 1], changes[field], value = change, nil, change
    end
    if field == 'v' then
      version, place = value, i + 1
    else
      bytes, names = bytes + #value, names + #field
    end
    i = i + 2
  end
end

if not version and #hash > 0 then return 3 end
if (when == '*' and not version) or (when == '-' and version) or (#when > 1 and when ~= version) then
  return { version or '' }
end
if version and #ARGV == 6 then
  hash[size + 1] = size
  return table.concat(hash, '\0', 1, size + 1)
end

for i = sets, #ARGV, 2 do
  local field = ARGV[i]
  if changes[field] then
    local value = ARGV[i + 1]
    hash[size + 1], hash[size + 2], size = field, value, size + 2
    bytes, names, more = bytes + #value, names + #field, more + #field + #value
  end
end
if not version then
  place, size = size + 2, size + 2
  hash[place - 1] = 'v'
end
hash[place] = ARGV[2]

local fields = size / 2 - 1
if fields > tonumber(ARGV[4]) then return 1 end
-- A field is one byte longer than the name, and `"":,` is around each member, but for the last comma. Escaped, a name is
-- at most six times as long.
bytes = 2 + bytes + names + 3 * fields - (fields > 0 and 1 or 0)
if bytes + 5 * names > tonumber(ARGV[3]) then
  for i = 1, size, 2 do
    local _, short = string.gsub(hash[i], '["\\\b\t\n\f\r]', '')
    local _, all = string.gsub(hash[i], '["\\\1-\31]', '')
    bytes = bytes + short + 5 * (all - short)
  end
  if bytes > tonumber(ARGV[3]) then return 2 end
end

-- When memory is short, Redis refuses the first HSET of a script that has not written anything, and no later one. So a
-- document that grows is refused before it is changed, and one can be made smaller by removing fields.
local set_first = not version or more > 0
for turn = 1, 2 do
  if (turn == 1) == set_first then
    call('HSET', key, 'v', ARGV[2], unpack(ARGV, sets, math.min(sets + most - 1, #ARGV)))
    for i = sets + most, #ARGV, most do
      call('HSET', key, unpack(ARGV, i, math.min(i + most - 1, #ARGV)))
    end
  elseif gone then
    for i = 7, sets - 1, most do
      call('HDEL', key, unpack(ARGV, i, math.min(i + most, sets) - 1))
    end
  end
end
if ARGV[5] == '0' then call('PERSIST', key) else call('PEXPIRE', key, ARGV[5]) end
hash[size + 1] = size
return table.concat(hash, '\0', 1, size + 1)
