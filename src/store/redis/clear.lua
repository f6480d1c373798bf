-- Removes the document of one user.
--
-- KEYS[1]  the hash of the user
-- ARGV     1 the precondition: nothing, `*` (a document), `-` (no document) or a version
--
-- Answers  an empty list; or the version that breaks the precondition, empty for none; or 3 for a hash that is no
--          document, which only a clear without a precondition removes
local key, when = KEYS[1], ARGV[1]
if when ~= '' then
  local version = redis.call('HGET', key, 'v')
  if not version and redis.call('EXISTS', key) == 1 then return 3 end
  if (when == '*' and not version) or (when == '-' and version) or (#when > 1 and when ~= version) then
    return version or ''
  end
end
redis.call('UNLINK', key)
return {}
