// http-proxy 1.18 takes `util._extend` at load, and Node warns of it (DEP0060) at the first call. Import this before it.
// `Object.assign` does the same for the plain objects that http-proxy copies.
import util from 'node:util';

Reflect.set(util, '_extend', Object.assign);
