/**
 * Accepts rows of one shard: values, outbox entries, positions and the write's record change together or not at all.
 *
 * Every write has a record under its token, the client's write id or a random one. The link sends a script again when a
 * connection broke or a primary failed over before the reply, and a client repeats a request; the record makes the second run answer with
 * the outcomes of the first. That run writes too (it sets the record's end anew, as it was), because a WAIT counts only for a connection that
 * has written since.
 *
 *     KEYS  state, outbox, record, ids, then the value of each row
 *     ARGV  store id, entries the outbox may hold, bytes it may hold, content hash, record's life in ms,
 *           write ids to remember (0: the token is not a client's), write id, prefix of records, length of the tag,
 *           which entities are kept online (all, some, none), then the rows
 *     reply OK, first position, a letter per row (A applied, S superseded, H history only)
 *           | ROWS, entries waiting | BYTES, bytes waiting, bytes that came | CLASH | LOST
 *
 * Everything is read, and refused where it must be, before the first change; at maxmemory (OOM) Redis refuses that change, and none after it. About
 * 20 µs a row of 2 KB. Keys of records that are forgotten are not among KEYS: they are of the same slot, and only \`pcall\` touches them.
 */
import { COMPARE_VERSIONS, LEFT_OUT, NOW_MICROS, STREAM_ID, TOUCH } from './lua.ts'

export const WRITE_SCRIPT = `${NOW_MICROS}${STREAM_ID}${COMPARE_VERSIONS}${LEFT_OUT}${TOUCH}
local state, outbox, record, ids = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local hash, life, idsMax, id = ARGV[4], ARGV[5], tonumber(ARGV[6]), ARGV[7]
local known = redis.call('GET', record)
if known then
  local first, letters, knownHash = string.match(known, '^(%S+) (%S*) (.*)$')
  if knownHash ~= hash then return {'CLASH'} end
  touch(record)
  return {'OK', first, letters}
end
local was = redis.call('HMGET', state, 'id', 'position', 'in', 'out')
if was[1] ~= ARGV[1] then return {'LOST'} end
local last, bytesIn, bytesOut = tonumber(was[2] or 0), tonumber(was[3] or 0), tonumber(was[4] or 0)
local count, tagLength = #KEYS - 4, tonumber(ARGV[9])
local waiting, bytes = redis.call('XLEN', outbox), 0
if waiting + count > tonumber(ARGV[2]) then return {'ROWS', waiting} end
for i = 1, count do bytes = bytes + #KEYS[4 + i] - tagLength + #ARGV[10 + i] end
if bytesIn - bytesOut + bytes > tonumber(ARGV[3]) then return {'BYTES', text(bytesIn - bytesOut), text(bytes)} end

local now = nowMicros()
local first = math.max(now, last + 1)
local keys, names, rows = {}, {}, {}
for i = 1, count do
  local row, packed = ARGV[10 + i], struct.pack('>I8', first + i - 1)
  keys[i] = KEYS[4 + i]
  names[i] = string.sub(keys[i], tagLength + 1)
  rows[i] = string.sub(row, 1, 18) .. packed .. string.char(128) .. string.sub(packed, 2) .. string.sub(row, 35)
end
local letters = compareVersions(keys, rows, leftOut(state, ARGV[10], tagLength))
if count > 0 then redis.call('HSET', state, 'position', text(first + count - 1), 'in', text(bytesIn + bytes)) end
for i = 1, count do
  bytesIn = bytesIn + #names[i] + #rows[i]
  if letters[i] == 'A' then redis.call('SET', keys[i], rows[i]) end
  redis.call('XADD', outbox, streamId(first + i - 1), 'key', names[i], 'row', rows[i], 'in', text(bytesIn))
end
letters = table.concat(letters)
redis.call('SET', record, text(first) .. ' ' .. letters .. ' ' .. hash, 'PX', life)
if idsMax > 0 then
  redis.call('ZADD', ids, text(now), id)
  local surplus = redis.call('ZCARD', ids) - idsMax
  local oldest = redis.call('ZRANGE', ids, 0, 3, 'WITHSCORES')
  for i = 1, #oldest, 2 do
    if surplus <= 0 and tonumber(oldest[i + 1]) > now - life * 1000 then break end
    redis.call('ZREM', ids, oldest[i])
    redis.pcall('DEL', ARGV[8] .. oldest[i])
    surplus = surplus - 1
  end
end
return {'OK', text(first), letters}`
