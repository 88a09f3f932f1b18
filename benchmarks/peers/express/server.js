// Express with express-session and connect-redis, as the latter's documentation begins.
import {RedisStore} from "connect-redis"
import express from "express"
import session from "express-session"
import {createClient} from "redis"

const client = createClient({url: process.env.REDIS_URL})
await client.connect()

const app = express()
app.use(
  session({
    store: new RedisStore({client}),
    resave: false,
    saveUninitialized: false,
    secret: process.env.SECRET,
  }),
)
app.get("/", (request, response) => {
  request.session.views = (request.session.views ?? 0) + 1
  response.json({views: request.session.views})
})
app.listen(process.env.PORT, "127.0.0.1")
