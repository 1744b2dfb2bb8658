"""GLSL of the renderers and the baker. Positions are in the camera's optical frame, so the eye is the origin."""

MAX_LIGHTS, MAX_SHADOWS = 3, 2

MESH_VERTEX = """#version 330
in vec4 in_clip; in vec3 in_position; in vec3 in_normal; in vec2 in_uv;
uniform mat4 to_shadow[2];
out vec3 position; out vec3 normal; out vec2 uv; out vec3 in_shadow[2];
void main() {
    position = in_position; normal = in_normal; uv = in_uv; gl_Position = in_clip;
    for (int k = 0; k < 2; k++) in_shadow[k] = (to_shadow[k] * vec4(in_position, 1)).xyz * 0.5 + 0.5;
}"""

# Diffuse: wrapped Lambert, per colour, a cheap stand-in for light scattered under the skin. Specular: Blinn-Phong with
# Schlick's Fresnel term. Ambient: two hemispheres (sky, ground). Bump: Mikkelsen 2010, from screen derivatives.
MESH_FRAGMENT = """#version 330
in vec3 position; in vec3 normal; in vec2 uv; in vec3 in_shadow[2];
uniform sampler2D albedo; uniform sampler2D height; uniform sampler2D shadow_0; uniform sampler2D shadow_1;
uniform int light_count; uniform int shadow_count;
uniform vec3 light_direction[3]; uniform vec3 light_colour[3]; uniform float shadow_radius; uniform float shadow_bias;
uniform vec3 sky; uniform vec3 ground; uniform vec3 up;
uniform vec3 wrap; uniform float gloss; uniform float specular; uniform float bump; uniform bool two_sided;
uniform float exposure;
out vec4 colour;
vec3 bumped(vec3 n) {
    vec3 dx = dFdx(position), dy = dFdy(position);
    float h = texture(height, uv).r * bump, hx = dFdx(h), hy = dFdy(h);
    vec3 r1 = cross(dy, n), r2 = cross(n, dx);
    float d = dot(dx, r1);
    return normalize(abs(d) * n - sign(d) * (hx * r1 + hy * r2));
}
float lit(sampler2D map, vec3 q, float turn) {
    float sum = 0.0;
    for (int i = 0; i < 16; i++) {
        float radius = shadow_radius * sqrt((float(i) + 0.5) / 16.0), angle = float(i) * 2.39996 + turn;
        vec2 at = q.xy + radius * vec2(cos(angle), sin(angle));
        sum += (q.z - shadow_bias > texture(map, at).r) ? 0.0 : 1.0;
    }
    return sum / 16.0;
}
void main() {
    vec3 view = normalize(-position), n = bumped(normalize(normal));
    if (two_sided && dot(n, view) < 0.0) n = -n;
    vec4 texel = texture(albedo, uv);
    vec3 base = pow(texel.rgb, vec3(2.2));
    float smoothness = 1.0 - texel.a, facing = max(dot(n, view), 0.0);
    float fresnel = 0.028 + 0.34 * pow(1.0 - facing, 5.0);
    float turn = 6.2832 * fract(52.9829189 * fract(dot(gl_FragCoord.xy, vec2(0.06711056, 0.00583715))));
    vec3 sum = base * mix(ground, sky, dot(n, up) * 0.5 + 0.5);
    vec3 mirrored = reflect(-view, n);
    sum += mix(ground, sky, dot(mirrored, up) * 0.5 + 0.5) * fresnel * specular * mix(0.5, 1.5, smoothness);
    float m = mix(gloss, 60.0, smoothness);
    for (int k = 0; k < light_count; k++) {
        float visible = 1.0;
        if (k < shadow_count) visible = k == 0 ? lit(shadow_0, in_shadow[0], turn) : lit(shadow_1, in_shadow[1], turn);
        float cosine = dot(n, light_direction[k]);
        vec3 diffuse = clamp((vec3(cosine) + wrap) / (1.0 + wrap), 0.0, 1.0) * mix(wrap * 0.3, vec3(1.0), visible);
        float h = max(dot(n, normalize(light_direction[k] + view)), 0.0);
        float highlight = (m + 2.0) / 8.0 * pow(h, m) * fresnel * max(cosine, 0.0) * visible;
        highlight *= specular * mix(1.0, 2.0, smoothness);
        sum += (base * diffuse + highlight) * light_colour[k];
    }
    sum *= exposure;
    sum = mix(sum, 0.55 + 0.45 * (1.0 - exp((0.55 - sum) / 0.45)), step(0.55, sum));   // shoulder, as a camera has
    colour = vec4(pow(clamp(sum, 0.0, 1.0), vec3(1.0 / 2.2)), 1.0);
}"""

SHADOW_VERTEX = """#version 330
in vec3 in_position; uniform mat4 to_shadow;
void main() { gl_Position = to_shadow * vec4(in_position, 1); }"""
SHADOW_FRAGMENT = """#version 330
void main() {}"""

GEOMETRY_VERTEX = """#version 330
in vec4 in_clip; in vec3 in_position; in vec2 in_uv; in float in_label; out vec4 value;
void main() { gl_Position = in_clip; value = vec4(in_position.z, in_label, in_uv); }"""
# depth, item number (plus a half where the surface is labelled), u, v
GEOMETRY_FRAGMENT = """#version 330
in vec4 value; uniform float identity; out vec4 out_geometry;
void main() { out_geometry = vec4(value.x, identity + (value.y >= 0.5 ? 0.5 : 0.0), value.zw); }"""

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
