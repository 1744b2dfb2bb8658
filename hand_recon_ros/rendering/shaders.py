"""GLSL of the renderers and the baker. Positions are in the camera's optical frame, so the eye is the origin.

Meshes are drawn deferred. First every sample of every pixel learns which triangle it sees (a number, nothing else), then
each visible sample is shaded once, in dense blocks of pixels, whatever the triangles' sizes: software rasterisers run a
fragment shader on whole 4 x 4 blocks, so that shading a hand's small triangles directly costs many times its pixels.
"""

MAX_LIGHTS, MAX_SHADOWS = 3, 2
VERTICES_A_ROW, TRIANGLES_A_ROW = 1024, 512     # of the textures that hold a surface's vertices and triangles

# A vertex is eight floats: clip x, y, position x, y, z (clip w is z), normal x, y, z.
VISIBILITY_VERTEX = """#version 330
in vec2 in_clip; in float in_z; uniform vec2 depth_range;
void main() { gl_Position = vec4(in_clip, depth_range.x * in_z - depth_range.y, in_z); }"""
VISIBILITY_FRAGMENT = """#version 330
uniform float first; out float triangle;
void main() { triangle = first + float(gl_PrimitiveID); }"""

SHADOW_VERTEX = """#version 330
in vec3 in_position; uniform mat4 to_shadow;
void main() { gl_Position = to_shadow * vec4(in_position, 1); }"""
SHADOW_FRAGMENT = """#version 330
void main() {}"""

BOX_VERTEX = """#version 330
in vec2 in_corner;
void main() { gl_Position = vec4(in_corner, 0, 1); }"""

# A triangle's barycentric coordinates at a point of the image, perspective-correct: Olano and Greer 1997, with the
# corners taken relative to the point, which keeps float32 exact enough. A triangle is three texels: its
# corners' numbers and the first label; two uvs; the third uv and the other labels.
_TRIANGLE = """
uniform sampler2D vertices; uniform sampler2D triangles; uniform vec2 pixels_to_clip; uniform float first;
vec4 vertex(int number, int half_of_it) {
    return texelFetch(vertices, ivec2(2 * (number & 1023) + half_of_it, number >> 10), 0);
}
vec4 triangle_part(int number, int part) {
    return texelFetch(triangles, ivec2(3 * (number & 511) + part, number >> 9), 0);
}
vec2 relative(vec2 clip, float w, vec2 point) { return clip - point * w; }
float crossed(vec2 a, vec2 b) { return a.x * b.y - a.y * b.x; }
"""
assert (VERTICES_A_ROW, TRIANGLES_A_ROW) == (1024, 512)

# Diffuse: wrapped Lambert, per colour, a cheap stand-in for light scattered under the skin. Specular: Blinn-Phong with
# Schlick's Fresnel term. Ambient: two hemispheres (sky, ground). Bump: the height's gradient along the triangle's plane
# (Mikkelsen 2010). Shadows: 16 samples of a disc, turned from pixel to pixel, shared out among the pixel's samples.
# step_part: how much deeper a neighbour must lie, relatively, to count as another surface.
SHADING_FRAGMENT = """#version 330
#define SAMPLES {samples}
#define TAPS (SAMPLES == 1 ? 16 : 8)
uniform {sampler} visible; uniform float last; uniform vec2 sample_position[SAMPLES];
uniform sampler2D albedo; uniform sampler2D slopes; uniform sampler2D shadow_0; uniform sampler2D shadow_1;
uniform int light_count; uniform int shadow_count; uniform mat4 to_shadow[2];
uniform vec3 light_direction[3]; uniform vec3 light_colour[3]; uniform float shadow_radius; uniform float shadow_bias;
uniform vec3 sky; uniform vec3 ground; uniform vec3 up;
uniform vec3 wrap; uniform float gloss; uniform float specular; uniform float bump; uniform bool two_sided;
uniform float exposure; uniform float texel_scale; uniform float step_part;
out vec4 colour;
""" + _TRIANGLE + """
// pow() held above 2^-40: the next smaller floats cost a CPU a hundred times an ordinary one's time.
vec3 power(vec3 x, float exponent) { return exp2(max(log2(max(x, 1e-6)) * exponent, -40.0)); }
const vec2 GOLDEN = vec2(-0.737369, 0.675490), GOLDEN_2 = vec2(0.087426, -0.996171);   // cosine, sine
vec2 turned(vec2 v, vec2 angle) { return vec2(angle.x * v.x - angle.y * v.y, angle.y * v.x + angle.x * v.y); }
// How much of either shadow caster's light arrives, by samples of a disc around the point in both of their maps.
vec2 lit(vec3 position, vec2 turn, float offset) {
    vec2 sum = vec2(0.0);
    float size = float(textureSize(shadow_0, 0).x);
    vec3 p = (to_shadow[0] * vec4(position, 1)).xyz * 0.5 + 0.5, q = (to_shadow[1] * vec4(position, 1)).xyz * 0.5 + 0.5;
    p.xy *= size, q.xy *= size, p.z -= shadow_bias, q.z -= shadow_bias;
    turn *= shadow_radius * size;
    for (int i = 0; i < TAPS; i++) {
        turn = turned(turn, TAPS == 16 ? GOLDEN : GOLDEN_2);
        vec2 shift = sqrt((float(i * 16 / TAPS) + offset) / 16.0) * turn;
        sum.x += p.z > texelFetch(shadow_0, ivec2(p.xy + shift), 0).r ? 0.0 : 1.0;
        sum.y += q.z > texelFetch(shadow_1, ivec2(q.xy + shift), 0).r ? 0.0 : 1.0;
    }
    return sum / float(TAPS);
}
vec3 shaded(int number, vec2 point, vec2 turn, float offset, out float depth) {
    vec4 t0 = triangle_part(number, 0), t1 = triangle_part(number, 1), t2 = triangle_part(number, 2);
    ivec3 corner = ivec3(t0.xyz);
    vec4 a0 = vertex(corner.x, 0), a1 = vertex(corner.x, 1), b0 = vertex(corner.y, 0), b1 = vertex(corner.y, 1);
    vec4 c0 = vertex(corner.z, 0), c1 = vertex(corner.z, 1);
    vec2 a = relative(a0.xy, a1.x, point), b = relative(b0.xy, b1.x, point), c = relative(c0.xy, c1.x, point);
    vec3 weight = vec3(crossed(b, c), crossed(c, a), crossed(a, b));
    float total = weight.x + weight.y + weight.z;
    weight /= total;
    vec2 uv = weight.x * t1.xy + weight.y * t1.zw + weight.z * t2.xy;
    vec3 corner_a = vec3(a0.zw, a1.x), edge_b = vec3(b0.zw, b1.x) - corner_a, edge_c = vec3(c0.zw, c1.x) - corner_a;
    vec3 position = corner_a + weight.y * edge_b + weight.z * edge_c;
    depth = position.z;
    vec3 n = normalize(weight.x * a1.yzw + weight.y * b1.yzw + weight.z * c1.yzw), view = normalize(-position);
    vec2 uv_b = t1.zw - t1.xy, uv_c = t2.xy - t1.xy;
    float level = 0.5 * log2(abs(crossed(uv_b, uv_c) / total) * position.z * position.z * texel_scale + 1e-9);
    vec2 slope = textureLod(slopes, uv, level).rg * bump;
    vec3 r_b = cross(edge_c, n), r_c = cross(n, edge_b);
    float area = dot(edge_b, r_b);
    n = normalize(n - (dot(slope, uv_b) * r_b + dot(slope, uv_c) * r_c) / (abs(area) > 1e-20 ? area : 1e-20));
    if (two_sided && dot(n, view) < 0.0) n = -n;
    vec4 texel = textureLod(albedo, uv, level);
    vec3 base = power(texel.rgb, 2.2);
    float smoothness = 1.0 - texel.a, past = clamp(1.0 - dot(n, view), 1e-4, 1.0);
    float fresnel = 0.028 + 0.34 * past * past * past * past * past;
    vec3 sum = base * mix(ground, sky, dot(n, up) * 0.5 + 0.5);
    vec3 mirrored = reflect(-view, n);
    sum += mix(ground, sky, dot(mirrored, up) * 0.5 + 0.5) * fresnel * specular * mix(0.5, 1.5, smoothness);
    float m = mix(gloss, 60.0, smoothness);
    vec2 arriving = lit(position, turn, offset);
    for (int k = 0; k < light_count; k++) {
        float visible_part = k >= shadow_count ? 1.0 : k == 0 ? arriving.x : arriving.y;
        float cosine = dot(n, light_direction[k]);
        vec3 diffuse = clamp((vec3(cosine) + wrap) / (1.0 + wrap), 0.0, 1.0) * mix(wrap * 0.3, vec3(1.0), visible_part);
        float h = max(dot(n, normalize(light_direction[k] + view)), 0.0);
        float highlight = (m + 2.0) / 8.0 * power(vec3(h), m).x * fresnel * max(cosine, 0.0) * visible_part;
        highlight *= specular * mix(1.0, 2.0, smoothness);
        sum += (base * diffuse + highlight) * light_colour[k];
    }
    return sum;
}
void main() {
    ivec2 pixel = ivec2(gl_FragCoord.xy);
    int covered = 0;
    for (int s = 0; s < SAMPLES; s++) {
        float seen = texelFetch(visible, pixel, s).r;
        covered += seen >= first && seen <= last ? 1 : 0;
    }
    float angle = 6.2832 * fract(52.9829189 * fract(dot(gl_FragCoord.xy, vec2(0.06711056, 0.00583715))));
    vec2 turn = vec2(cos(angle), sin(angle));
    vec3 sum = vec3(0.0);
    float shaded_count = 0.0, first_depth = 0.0;
    // Two samples do where the item fills the pixel without a step in depth; wherever silhouettes pass, its own included,
    // all count. The loop is left at its end: software rasterisers run a loop's body to the end once more after a break.
    int rounds = covered == SAMPLES ? min(SAMPLES, 2) : covered > 0 ? SAMPLES : 0, s = 0;
    do {
        int k = s == 0 ? 0 : s == 1 ? SAMPLES - 1 : s - 1;       // the second lies farthest from the first
        float seen = texelFetch(visible, pixel, k).r, depth;
        bool mine = seen >= first && seen <= last;
        vec2 point = (gl_FragCoord.xy - 0.5 + sample_position[k]) * pixels_to_clip - 1.0;
        turn = turned(turn, GOLDEN);
        vec3 sample_colour = shaded(mine ? int(seen - first) : 0, point, turn, SAMPLES == 1 ? 0.5 : float(s & 1) + 0.5, depth);
        sum += mine ? sample_colour : vec3(0.0);
        shaded_count += mine ? 1.0 : 0.0;
        rounds = s == 1 && abs(depth - first_depth) > step_part * first_depth ? SAMPLES : rounds;
        first_depth = s == 0 ? depth : first_depth;
        s++;
    } while (s < rounds);
    float part = float(covered) / float(SAMPLES);
    sum *= exposure / max(shaded_count, 1.0);
    sum = mix(sum, 0.55 + 0.45 * (1.0 - exp((0.55 - sum) / 0.45)), step(0.55, sum));   // shoulder, as a camera has
    colour = vec4(power(clamp(sum, 0.0, 1.0), 1.0 / 2.2), 1.0) * part;
}"""

GEOMETRY_FRAGMENT = """#version 330
uniform sampler2D visible; uniform float last; uniform float item;
out vec4 values;      // depth, item number plus a half where labelled, u, v
""" + _TRIANGLE + """
void main() {
    float seen = texelFetch(visible, ivec2(gl_FragCoord.xy), 0).r;
    if (seen < first || seen > last) discard;
    int number = int(seen - first);
    vec4 t0 = triangle_part(number, 0), t1 = triangle_part(number, 1), t2 = triangle_part(number, 2);
    vec2 point = gl_FragCoord.xy * pixels_to_clip - 1.0;
    vec4 a0 = vertex(int(t0.x), 0), b0 = vertex(int(t0.y), 0), c0 = vertex(int(t0.z), 0);
    vec3 z = vec3(vertex(int(t0.x), 1).x, vertex(int(t0.y), 1).x, vertex(int(t0.z), 1).x);
    vec2 a = relative(a0.xy, z.x, point), b = relative(b0.xy, z.y, point), c = relative(c0.xy, z.z, point);
    vec3 weight = vec3(crossed(b, c), crossed(c, a), crossed(a, b));
    weight /= weight.x + weight.y + weight.z;
    float labelled = dot(weight, vec3(t0.w, t2.zw)) >= 0.5 ? 0.5 : 0.0;
    values = vec4(dot(weight, z), item + labelled, weight.x * t1.xy + weight.y * t1.zw + weight.z * t2.xy);
}"""

BAKE_VERTEX = """#version 330
in vec2 in_uv; in vec4 in_value; out vec4 value;
void main() { value = in_value; gl_Position = vec4(in_uv * 2.0 - 1.0, 0, 1); }"""
BAKE_FRAGMENT = """#version 330
in vec4 value; out vec4 out_value;
void main() { out_value = value; }"""

OVERLAY_VERTEX = """#version 330
in vec3 in_position; in vec3 in_normal; uniform vec3 scale; uniform vec3 offset; out vec3 normal;
void main() { normal = in_normal; gl_Position = vec4(in_position * scale + offset, 1); }"""
OVERLAY_FRAGMENT = """#version 330
in vec3 normal; uniform vec3 tint; out vec4 colour;
void main() {
    vec3 n = normalize(normal);
    float key = max(dot(n, vec3(-0.42, -0.56, -0.71)), 0.0), fill = max(dot(n, vec3(0.67, 0.22, -0.71)), 0.0);
    float rim = pow(1.0 - max(-n.z, 0.0), 3.0);
    colour = vec4(min(tint * (0.34 + 0.62 * key + 0.22 * fill) + 0.16 * pow(key, 12.0) + 0.10 * rim, vec3(1.0)), 1.0);
}"""
