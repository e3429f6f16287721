/**
 * Small scripts on a shard's state and on the store's own keys. Each changes something whenever it runs, because a WAIT for replicas
 * counts from the last change of its connection.
 */
import { COMPARE_VERSIONS, IS_NEWER, NOW_MICROS, PASS_MEMORY_LIMIT, STREAM_ID, TEXT, TOUCH } from './lua.ts'

/**
 * Rows with positions of their own; future positions are greater than all of them.
 *
 *     KEYS state, then the value of each row   ARGV store id, then the rows   reply OK, a letter per row | LOST
 */
export const SEED_SCRIPT = `${TEXT}${COMPARE_VERSIONS}
local was = redis.call('HMGET', KEYS[1], 'id', 'position')
if was[1] ~= ARGV[1] then return {'LOST'} end
local greatest = tonumber(was[2] or 0)
local keys, rows = {}, {}
for i = 1, #KEYS - 1 do
  keys[i], rows[i] = KEYS[1 + i], ARGV[1 + i]
  greatest = math.max(greatest, struct.unpack('>I8', rows[i], 19))
end
local letters = compareVersions(keys, rows)
redis.call('HSET', KEYS[1], 'position', text(greatest))
for i, key in ipairs(keys) do
  if letters[i] == 'A' then redis.call('SET', key, rows[i]) end
end
return {'OK', table.concat(letters)}`

/**
 * The same, also over a stored row of the same version, and over one with the SHA-1 that was seen to be damaged.
 *
 *     KEYS state, then the value of each row   ARGV store id, then for each row it and that SHA-1 or nothing   reply as above
 */
export const MEND_SCRIPT = `${TEXT}${IS_NEWER}
local was = redis.call('HMGET', KEYS[1], 'id', 'position')
if was[1] ~= ARGV[1] then return {'LOST'} end
local greatest, letters = tonumber(was[2] or 0), {}
for i = 1, #KEYS - 1 do
  local row, damaged = ARGV[2 * i], ARGV[2 * i + 1]
  local stored = redis.call('GET', KEYS[1 + i])
  local stays = stored and #stored >= 34 and redis.sha1hex(stored) ~= damaged
    and isNewer(string.sub(stored, 11, 26), string.sub(row, 11, 26))
  letters[i] = stays and 'S' or 'A'
  greatest = math.max(greatest, struct.unpack('>I8', row, 19))
end
redis.call('HSET', KEYS[1], 'position', text(greatest))
for i, letter in ipairs(letters) do
  if letter == 'A' then redis.call('SET', KEYS[1 + i], ARGV[2 * i]) end
end
return {'OK', table.concat(letters)}`

/** KEYS state, a key of the shard that is never there   ARGV cursor, pattern, keys to look at   reply the next cursor, keys */
export const SCAN_SCRIPT = `return redis.call('SCAN', ARGV[1], 'MATCH', ARGV[2], 'COUNT', ARGV[3])`

/**
 * Removes rows with positions below one. A value too short to have a position stays.
 *
 *     KEYS state, then the value of each row   ARGV store id, that position   reply OK, a letter per row: R removed, K kept | LOST
 */
export const REMOVE_SCRIPT = `${PASS_MEMORY_LIMIT}
if redis.call('HGET', KEYS[1], 'id') ~= ARGV[1] then return {'LOST'} end
local before, letters, count = tonumber(ARGV[2]), {}, 0
for i = 1, #KEYS - 1 do
  local position = redis.call('GETRANGE', KEYS[1 + i], 18, 25)
  local goes = #position == 8 and struct.unpack('>I8', position) < before
  letters[i] = goes and 'R' or 'K'
  if goes then count = count + 1 end
end
passMemoryLimit(KEYS[1])
redis.call('HINCRBY', KEYS[1], 'removed', count)
for i, letter in ipairs(letters) do
  if letter == 'R' then redis.call('DEL', KEYS[1 + i]) end
end
return {'OK', table.concat(letters)}`

/** KEYS state   ARGV field of the view's horizon, its eight bytes   reply 1 */
export const HORIZON_SCRIPT = `${IS_NEWER}${PASS_MEMORY_LIMIT}
local known = redis.call('HGET', KEYS[1], ARGV[1])
local zero = string.rep('\\0', 8)
passMemoryLimit(KEYS[1])
redis.call('HSET', KEYS[1], ARGV[1], known and not isNewer(ARGV[2] .. zero, known .. zero) and known or ARGV[2])
return 1`

/** KEYS state   ARGV floor   reply the position before */
export const RAISE_SCRIPT = `${PASS_MEMORY_LIMIT}
local was = redis.call('HGET', KEYS[1], 'position') or '0'
passMemoryLimit(KEYS[1])
redis.call('HSET', KEYS[1], 'position', tonumber(ARGV[1]) > tonumber(was) and ARGV[1] or was)
return was`

/**
 * Drops entries up to a position. The last one dropped says how many bytes had come in with it: no sum is needed.
 *
 *     KEYS state, outbox   ARGV through   reply 1
 */
export const TRIM_SCRIPT = `${STREAM_ID}${PASS_MEMORY_LIMIT}
local through = tonumber(ARGV[1])
passMemoryLimit(KEYS[1])
local last = redis.call('XREVRANGE', KEYS[2], streamId(through), '-', 'COUNT', 1)[1]
if last then
  redis.call('HSET', KEYS[1], 'out', last[2][6])
  redis.call('XTRIM', KEYS[2], 'MINID', streamId(through + 1))
end
local position = tonumber(redis.call('HGET', KEYS[1], 'position') or 0)
redis.call('HSET', KEYS[1], 'position', text(math.max(position, through)))
return 1`

/**
 * A page of entries with a change behind it, so that a WAIT covers what was read. Both in one script, so on one node: a page of one
 * primary and a WAIT at its successor would prove nothing.
 *
 *     KEYS state, outbox   ARGV id to begin after, most entries   reply the entries as XRANGE has them
 */
export const READ_OUTBOX_SCRIPT = `${PASS_MEMORY_LIMIT}
local page = redis.call('XRANGE', KEYS[2], '(' .. ARGV[1], '+', 'COUNT', ARGV[2])
passMemoryLimit(KEYS[1])
redis.call('HINCRBY', KEYS[1], 'pages', 1)
return page`

/** KEYS reserved   ARGV floor   reply a position greater than the floor, than now, and than every one it gave before */
export const RESERVE_SCRIPT = `${NOW_MICROS}${TEXT}
local last = tonumber(redis.call('GET', KEYS[1]) or 0)
local position = text(math.max(nowMicros(), last + 1, tonumber(ARGV[1]) + 1))
redis.call('SET', KEYS[1], position)
return position`

/**
 * The hash a write id was first used with, kept on the id's home shard: a second write with the id may go to other shards.
 *
 *     KEYS name, ids   ARGV content hash, life in ms, ids to remember, member, prefix of names   reply NEW | SAME | CLASH
 */
export const NAME_SCRIPT = `${NOW_MICROS}${TEXT}${TOUCH}
local known = redis.call('GET', KEYS[1])
if known then
  if known ~= ARGV[1] then return 'CLASH' end
  touch(KEYS[1])
  return 'SAME'
end
local now = nowMicros()
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
redis.call('ZADD', KEYS[2], text(now), ARGV[4])
local surplus = redis.call('ZCARD', KEYS[2]) - tonumber(ARGV[3])
local oldest = redis.call('ZRANGE', KEYS[2], 0, 3, 'WITHSCORES')
for i = 1, #oldest, 2 do
  if surplus <= 0 and tonumber(oldest[i + 1]) > now - ARGV[2] * 1000 then break end
  redis.call('ZREM', KEYS[2], oldest[i])
  redis.pcall('DEL', ARGV[5] .. oldest[i])
  surplus = surplus - 1
end
return 'NEW'`

/**
 * Claims a fair part of the shards: see `OnlineStore.claimShards`. An owner is a field, its value `until ms:shard,shard`.
 *
 *     KEYS claims   ARGV owner, ttl in ms, shard count   reply the shards it holds
 */
export const CLAIM_SCRIPT = `${NOW_MICROS}${TEXT}${PASS_MEMORY_LIMIT}
passMemoryLimit(KEYS[1])
local owner, shardCount = ARGV[1], tonumber(ARGV[3])
local now = math.floor(nowMicros() / 1000)
local all = redis.call('HGETALL', KEYS[1])
local taken, others, held = {}, 0, {}
for i = 1, #all, 2 do
  local untilMs, shards = string.match(all[i + 1], '^(%d+):(.*)$')
  if all[i] == owner then
    for shard in string.gmatch(shards, '%d+') do held[#held + 1] = tonumber(shard) end
  elseif tonumber(untilMs) <= now then
    redis.call('HDEL', KEYS[1], all[i])
  else
    others = others + 1
    for shard in string.gmatch(shards, '%d+') do taken[tonumber(shard)] = true end
  end
end
local share = math.ceil(shardCount / (others + 1))
local mine, have = {}, {}
local function take(shard)
  if #mine < share and not taken[shard] and not have[shard] then
    have[shard] = true
    mine[#mine + 1] = shard
  end
end
for _, shard in ipairs(held) do take(shard) end
for shard = 0, shardCount - 1 do take(shard) end
redis.call('HSET', KEYS[1], owner, text(now + tonumber(ARGV[2])) .. ':' .. table.concat(mine, ','))
return mine`
